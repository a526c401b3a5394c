"""Hair: a mass behind the head, strands in front of it, and the ears they may cover."""

from typing import NamedTuple

import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.anatomy import View
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.shapes import (
    blob,
    coverage,
    ellipse,
    mix,
    smooth_step,
    smooth_union,
    value_noise,
    visible,
)
from sfe_jax.data.faces.skin import hair_colour, skin_colour


class Hair(NamedTuple):
    """Shapes of one head of hair, each [1, R, R]."""

    outer: Array  # Signed distance to the outline.
    window: Array  # Signed distance to the opening around the face, negative inside.
    end: Array  # How far below the ends of the hair; negative above them.
    colour: Array  # [3, R, R], lit.


def _strands(face: Faces, view: View) -> tuple[Array, Array]:
    """Strands in [-1, 1], and the distance along them from the parting."""
    dx = view.x - 0.12 * view.turn - 0.10 * face.identity.parting
    dy = jnp.maximum(view.y + 0.85, 0.0)
    along = jnp.sqrt(dx * dx + dy * dy + 1e-6)
    across = dx / jnp.sqrt(along * along + 0.08)
    curls = smooth_step(-0.2, 1.0, face.identity.curls)
    across = across + 0.035 * curls * jnp.sin(17.0 * along + 5.0 * across)
    coarse = value_noise(16.0 * across, 1.6 * along, view.seed + 10)
    fine = value_noise(60.0 * across, 3.0 * along, view.seed + 11)
    finest = value_noise(170.0 * across, 4.0 * along, view.seed + 12)
    near = jnp.maximum(along, 0.35)
    fine = fine * visible(30.0, view.pixel / near)
    finest = finest * visible(85.0, view.pixel / near)
    return 0.45 * coarse + 0.40 * fine + 0.35 * finest, along


def _hair_light(strands: Array, along: Array, face: Faces, view: View) -> Array:
    """Lit hair: rounded like the head, a band of sheen across the strands; [3, R, R]."""
    lx, ly, lz = view.light
    nx, ny = view.x / 0.75, (view.y + 0.1) / 1.1
    nz = jnp.sqrt(jnp.maximum(1.0 - nx * nx - ny * ny, 0.06))
    diffuse = jnp.clip((nx * lx + ny * ly + nz * lz + 0.3) / 1.3, 0.0, 1.0)
    base = hair_colour(face)
    body = base * (0.28 + 0.95 * diffuse) * (1.0 + 0.55 * strands)
    band = jnp.exp(-0.5 * ((along - 0.30 - 0.03 * strands) / 0.09) ** 2)
    lateral = blob(view.x - 0.5 * lx, view.y * 0.0, 0.32, 1.0)
    sheen = band * lateral * jnp.clip(0.6 + 0.8 * strands, 0.0, 1.5)
    return body + sheen * (0.35 * base + 0.035)


def grow_hair(face: Faces, view: View) -> Hair:
    """Shapes and lights the hair."""
    size, identity, length = view.anatomy, face.identity, face.attributes.hair_length
    strands, along = _strands(face, view)
    curls = smooth_step(-0.2, 1.0, identity.curls)
    edge = 0.010 * strands + 0.022 * curls * value_noise(7.0 * view.x, 7.0 * view.y, view.seed + 13)

    # Outline: the skull, thicker with length, and what hangs down from it.
    volume = 0.035 + 0.060 * smooth_step(0.0, 0.6, length)
    cap = ellipse(
        view.x + 0.03 * view.turn, view.y + 0.20, size.face_width + volume, 0.60 + 0.8 * volume
    )
    shift = view.x + 0.05 * view.turn
    width = size.face_width + volume - 0.015 + 0.07 * length * smooth_step(-0.1, 0.9, view.y)
    hanging = jnp.maximum(jnp.abs(shift) - width, -0.15 - view.y)
    outer = smooth_union(cap, hanging, 0.08) + edge

    # Window: an arch with straight sides, lower under a fringe and off the parting.
    fringe = 0.10 * identity.fringe + 0.07 * identity.parting * jnp.clip(2.5 * view.u, -1.0, 1.0)
    arch = 0.58 - 0.75 * jnp.maximum(fringe, -0.02)
    half = size.face_width - 0.035 - 0.055 * smooth_step(0.2, 0.7, length)
    opening = ellipse(view.u, jnp.minimum(view.y - 0.05, 0.0), half, arch)
    window = opening + 0.022 * strands

    # Ends: from above the ears to below the picture, ragged.
    end = view.y - mix(-0.10, 1.20, length) + 0.06 * strands
    return Hair(outer, window, end, _hair_light(strands, along, face, view))


def add_back_hair(image: Array, hair: Hair, view: View) -> Array:
    """Draws the mass of hair behind head and neck, in its own shade; [3, R, R]."""
    alpha = coverage(hair.outer, view.pixel) * (1.0 - smooth_step(-0.04, 0.04, hair.end))
    return mix(image, 0.42 * hair.colour, alpha)


def add_ears(image: Array, face: Faces, view: View) -> Array:
    """Draws the ears; the one that turns away disappears; [3, R, R]."""
    skin = skin_colour(face)
    for side in (-1.0, 1.0):
        # Positive when this ear comes to the front.
        towards = -side * view.turn
        column = side * (view.anatomy.face_width + 0.012 - 0.22 * jnp.maximum(towards, 0.0))
        dx, dy = view.x - column, view.y - 0.04
        width = 0.045 + 0.05 * jnp.maximum(towards, 0.0)
        shape = ellipse(dx + 0.12 * side * dy, dy, width, 0.125)
        shown = coverage(shape, view.pixel) * smooth_step(-0.25, -0.02, towards)
        lit = 0.52 + 0.30 * side * view.light[0]
        inner = jnp.exp(-0.5 * ((shape + 0.028) / 0.013) ** 2)
        red = jnp.array([1.0, 0.80, 0.76]).reshape(3, 1, 1)
        image = mix(image, skin * red * lit * (1.0 - 0.38 * inner), shown)
    return image


def add_front_hair(image: Array, hair: Hair, view: View) -> Array:
    """Draws the hair over forehead, temples and shoulders, with its shadow; [3, R, R]."""
    above = 1.0 - smooth_step(-0.05, 0.05, hair.end)
    shadow = (
        jnp.where(hair.window < 0.0, jnp.exp(jnp.minimum(hair.window, 0.0) / 0.035), 0.0) * above
    )
    inside = coverage(hair.outer, view.pixel)
    image = image * (1.0 - 0.45 * shadow * inside)
    shown = coverage(-hair.window, view.texel + 0.012) * inside * above
    return mix(image, hair.colour, shown)
