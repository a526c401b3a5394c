"""Eyes: white, iris, pupil, glint, lids, lashes, and their make-up."""

from typing import NamedTuple

import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.anatomy import GAZE_REACH, View
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.shapes import (
    blob,
    colour,
    coverage,
    hue_colour,
    mix,
    palette,
    smooth_step,
    stroke,
    value_noise,
    visible,
)

IRIS_RADIUS = 0.047
"""Radius of the iris, in half pictures."""

_IRISES = ((62, 36, 20), (96, 66, 32), (84, 104, 62), (84, 124, 158))


class _Eye(NamedTuple):
    """Coordinates around the nearer eye, each [1, R, R]; both eyes are drawn at once."""

    out: Array  # From the middle of the eye to the outer corner.
    right: Array  # From the middle of the eye to the right of the picture.
    down: Array  # From the middle of the eye downwards, tilted with it.
    span: Array  # 1 in the middle, 0 at and beyond the corners.
    upper: Array  # Row of the upper lid.
    lower: Array  # Row of the lower lid.


def _locate(face: Faces, view: View) -> _Eye:
    """Sets up coordinates; the fold of the face at u = 0 maps one eye onto the other."""
    size, opening = view.anatomy, face.attributes.eye_opening
    out = jnp.abs(view.u) - size.eye_x
    right = out * jnp.sign(view.u)
    down = view.y - size.eye_y + (0.06 + 0.09 * face.identity.eye_tilt) * out
    span = jnp.clip(1.0 - (out / size.eye_width) ** 2, 0.0, 1.0)
    upper = -(0.068 * opening - 0.010) * span**0.8
    lower = (0.018 + 0.016 * opening) * span
    return _Eye(out, right, down, span, upper, lower)


def _eyeball(face: Faces, view: View, eye: _Eye) -> Array:
    """White, iris and pupil behind the lids, [3, R, R]."""
    corner = blob(eye.out + 0.9 * view.anatomy.eye_width, eye.down, 0.022, 0.02)
    white = mix(colour(232, 226, 222), colour(214, 140, 130), 0.8 * corner)
    dx = eye.right - GAZE_REACH * face.identity.gaze
    dy = view.y - view.anatomy.eye_y
    radius = jnp.sqrt(dx * dx + dy * dy + 1e-8)
    ring = radius / IRIS_RADIUS
    fibres = value_noise(9.0 * jnp.arctan2(dy, dx), 3.0 * ring, view.seed + 9)
    fibres = fibres * visible(35.0, view.pixel)
    iris = palette(_IRISES, face.identity.iris) * (0.85 + 0.25 * fibres)
    iris = iris * (1.0 + 1.1 * blob(dx, dy - 0.022, 0.028, 0.016))
    iris = iris * (1.0 - 0.75 * smooth_step(0.72, 1.0, ring))
    ball = mix(white, iris, coverage(radius - IRIS_RADIUS, view.texel))
    pupil = coverage(radius - 0.44 * IRIS_RADIUS, view.texel)
    return mix(ball, colour(8, 7, 8), pupil)


def _lids(skin: Array, face: Faces, view: View, eye: _Eye) -> Array:
    """Crease, lid shadow, rouge on the lids, the wet edge below; [3, R, R]."""
    makeup = face.attributes.makeup
    near = 1.0 - smooth_step(0.85, 1.2, jnp.abs(eye.out) / view.anatomy.eye_width)
    fold = eye.down + 0.026 + 0.062 * eye.span**0.7
    crease = stroke(fold, 0.009, view.pixel) * near
    hue = mix(0.93, 0.70, face.identity.makeup_hue)
    shadow = hue_colour(hue, saturation=0.75, value=0.22)
    lid = blob(eye.out - 0.01, eye.down + 0.062, 0.085, 0.032)
    skin = mix(skin, shadow, jnp.clip(1.15 * makeup * lid, 0.0, 0.8))
    edge = stroke(eye.down - eye.lower - 0.010, 0.010, view.pixel) * near
    return skin * (1.0 - 0.42 * crease) * (1.0 - 0.12 * edge)


def _lashes(view: View, makeup: Array, eye: _Eye) -> Array:
    """Dark line of the upper lashes, longer outside; thin line below; [1, R, R]."""
    width = view.anatomy.eye_width
    near = 1.0 - smooth_step(0.95, 1.15, jnp.abs(eye.out) / width)
    wing = smooth_step(0.2, 1.0, eye.out / width)
    thickness = (0.0085 + 0.0075 * makeup) * (1.0 + 0.5 * wing)
    hairs = 0.5 + 0.5 * jnp.sin(240.0 * eye.out + 160.0 * wing * eye.down)
    above = eye.upper - eye.down
    reach = (0.010 + 0.018 * makeup) * (0.6 + wing)
    fringe = hairs * visible(38.0, view.texel) * coverage(above - reach, view.texel)
    fringe = fringe * smooth_step(-0.004, 0.002, above) * (0.35 + 0.45 * makeup)
    upper = stroke(above, thickness, view.pixel)
    lower = (0.22 + 0.45 * makeup) * stroke(eye.down - eye.lower, 0.006, view.pixel)
    return jnp.clip(near * (upper + fringe + lower), 0.0, 1.0)


def add_eyes(skin: Array, face: Faces, view: View) -> Array:
    """Draws both eyes into the albedo [3, R, R] of the face."""
    eye = _locate(face, view)
    skin = _lids(skin, face, view, eye)
    slit = jnp.maximum(eye.upper - eye.down, eye.down - eye.lower)
    opened = coverage(jnp.maximum(slit, jnp.abs(eye.out) - view.anatomy.eye_width), view.texel)
    ball = _eyeball(face, view, eye)
    # The upper lid throws a shadow on the ball.
    ball = ball * (1.0 - 0.5 * jnp.exp(-jnp.maximum(eye.down - eye.upper, 0.0) / 0.016))
    skin = mix(skin, ball, opened)
    lashes = _lashes(view, face.attributes.makeup, eye)
    return mix(skin, colour(26, 17, 15), 0.92 * lashes)


def eye_glints(face: Faces, view: View) -> Array:
    """Light mirrored by the cornea, to add to the lit face; [1, R, R]."""
    eye = _locate(face, view)
    lx, ly, _ = view.light
    dx = eye.right - GAZE_REACH * face.identity.gaze - 0.020 * lx
    dy = view.y - view.anatomy.eye_y - 0.030 * ly
    glint = stroke(jnp.sqrt(dx * dx + dy * dy + 1e-8), 0.0085, view.pixel)
    opened = coverage(jnp.maximum(eye.upper - eye.down, eye.down - eye.lower) + 0.006, view.pixel)
    return 0.85 * glint * opened
