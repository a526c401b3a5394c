"""Where the parts of a face are: measures, the turn of the head, and the landmarks.

Features are laid out on a frontal face. Turning the head by the angle t carries the point at
column u of the frontal face, which lies on a cylinder of radius a, to x = a sin(asin(u / a) + t).
Every pixel looks up its `u`, so shift and foreshortening need no further care; what stands out
from the cylinder, such as the nose, moves farther by its height times sin(t).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.shapes import ellipse, smooth_union

RADIUS = 0.56
"""Radius of the cylinder that carries the features."""

MAX_YAW = math.radians(32)
"""Turn of the head at yaw 1."""

NOSE_HEIGHT = 0.11
"""How far the tip of the nose stands out."""


GAZE_REACH = 0.014
"""How far the irises move at gaze 1."""


class Anatomy(NamedTuple):
    """Measures of one frontal face, in half pictures; arrays []."""

    face_width: Array  # Half the width at the temples.
    jaw_width: Array  # Half the width at the mouth.
    chin_y: Array
    eye_x: Array  # Distance of an eye from the middle.
    eye_y: Array
    eye_width: Array  # Half the width of an eye.
    brow_y: Array
    nose_y: Array  # Tip.
    nose_width: Array  # Half the width.
    mouth_y: Array
    mouth_width: Array  # Half the width.
    mouth_lift: Array  # How far the corners are above the middle.
    mouth_opening: Array  # Gap between the lips at the middle.


def measure(face: Faces) -> Anatomy:
    """Computes the measures of one face, whose parameters are arrays []."""
    identity, smile = face.identity, face.attributes.smile
    grin = jnp.maximum(smile, 0.0)
    eye_y = jnp.full((), -0.05)
    nose_y = 0.21 + 0.03 * identity.nose_length
    return Anatomy(
        face_width=0.465 + 0.025 * identity.face_width,
        jaw_width=0.355 + 0.035 * identity.jaw_width,
        chin_y=0.71 + 0.04 * identity.chin_length,
        eye_x=0.215 + 0.016 * identity.eye_distance,
        eye_y=eye_y,
        eye_width=0.106 + 0.010 * identity.eye_size,
        brow_y=eye_y - 0.145 - 0.018 * identity.brow_height,
        nose_y=nose_y,
        nose_width=0.085 + 0.016 * identity.nose_width,
        mouth_y=nose_y + 0.195 + 0.012 * identity.chin_length,
        mouth_width=0.155 + 0.018 * identity.mouth_width + 0.05 * grin,
        mouth_lift=0.045 * smile,
        mouth_opening=0.085 * grin * grin,
    )


class View(NamedTuple):
    """One face as the camera sees it: coordinates of every pixel, and the light."""

    anatomy: Anatomy
    x: Array  # [1, R, R], column in the picture.
    y: Array  # [1, R, R], row in the picture and on the face.
    u: Array  # [1, R, R], column on the frontal face.
    nose_u: Array  # [1, R, R], the same at the height of the nose.
    head: Array  # [1, R, R], signed distance to the outline of the head.
    pixel: float  # Size of a pixel.
    texel: Array  # [1, R, R], its size on the face, larger where the surface turns away.
    turn: Array  # [], sine of the yaw.
    light: tuple[Array, Array, Array]  # Direction to the light: right, down, to the camera.
    seed: Array  # uint32 [], chooses the textures.


def turn_columns(u: Array, angle: Array) -> Array:
    """Carries columns of the frontal face to columns of the picture; inverse for `-angle`."""
    # Beyond the cylinder the surface continues at its limb, hidden by the outline of the head.
    return RADIUS * jnp.sin(jnp.arcsin(jnp.clip(u / RADIUS, -0.995, 0.995)) + angle)


def head_distance(x: Array, y: Array, *, anatomy: Anatomy, turn: Array) -> Array:
    """Signed distance to the outline of the head: skull and jaw, which turns farther."""
    long_skull = 0.04 * jnp.abs(turn)
    skull = ellipse(x - 0.03 * turn, y + 0.17, anatomy.face_width + long_skull, 0.57)
    jaw_height = anatomy.chin_y - 0.27
    jaw = ellipse(x - 0.24 * turn, y - 0.27, anatomy.jaw_width, jaw_height)
    return smooth_union(skull, jaw, 0.16)


def pixel_centres(resolution: int) -> tuple[Array, Array]:
    """Columns and rows of the pixel centres in [-1, 1], each [1, R, R]."""
    axis = (jnp.arange(resolution, dtype=jnp.float32) + 0.5) * (2.0 / resolution) - 1.0
    y, x = jnp.meshgrid(axis, axis, indexing="ij")
    return x[None], y[None]


def look_at(face: Faces, resolution: int) -> View:
    """Sets up the coordinates of one face, whose parameters are arrays []."""
    anatomy = measure(face)
    angle = MAX_YAW * face.attributes.yaw
    turn = jnp.sin(angle)
    x, y = pixel_centres(resolution)
    pixel = 2.0 / resolution
    u = turn_columns(x, -angle)
    slope = jnp.sqrt((RADIUS**2 - u * u) / jnp.maximum(RADIUS**2 - x * x, 0.03))
    across = 1.05 * face.attributes.lighting
    length = jnp.sqrt(across * across + 0.45**2 + 0.75**2)
    return View(
        anatomy=anatomy,
        x=x,
        y=y,
        u=u,
        nose_u=turn_columns(x - NOSE_HEIGHT * turn, -angle),
        head=head_distance(x, y, anatomy=anatomy, turn=turn),
        pixel=pixel,
        texel=pixel * jnp.clip(slope, 1.0, 3.0),
        turn=turn,
        light=(across / length, -0.45 / length, 0.75 / length),
        seed=(face.identity.seed * 65536.0).astype(jnp.uint32),
    )


def _landmarks(face: Faces) -> Array:
    """Landmarks [5, 2] of one face."""
    anatomy = measure(face)
    angle = MAX_YAW * face.attributes.yaw
    gaze = GAZE_REACH * face.identity.gaze
    corner_y = anatomy.mouth_y - anatomy.mouth_lift
    u = jnp.stack(
        [
            gaze - anatomy.eye_x,
            gaze + anatomy.eye_x,
            jnp.zeros(()),
            -anatomy.mouth_width,
            anatomy.mouth_width,
        ]
    )
    y = jnp.stack([anatomy.eye_y, anatomy.eye_y, anatomy.nose_y, corner_y, corner_y])
    height = jnp.array([0.0, 0.0, NOSE_HEIGHT, 0.0, 0.0])
    x = turn_columns(u, angle) + height * jnp.sin(angle)
    return 0.5 + 0.5 * jnp.stack([x, y], axis=-1)


def landmarks(faces: Faces) -> Array:
    """Locates pupils, tip of the nose and corners of the mouth.

    Args:
        faces: N faces.

    Returns:
        [N, 5, 2], (x, y) from the top left corner in units of the picture's side: pupil on the
        left of the picture, pupil on the right, tip of the nose, left and right mouth corner.
    """
    return jax.vmap(_landmarks)(faces)
