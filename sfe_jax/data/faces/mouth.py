"""Mouth: lips, the gap between them, teeth."""

from typing import NamedTuple

import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.anatomy import View
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.shapes import (
    blob,
    colour,
    coverage,
    hue_colour,
    mix,
    smooth_step,
    stroke,
    visible,
)
from sfe_jax.data.faces.skin import skin_colour


class _Lips(NamedTuple):
    """Rows of the four edges of the lips, each [1, R, R]."""

    span: Array  # 1 in the middle, 0 at and beyond the corners.
    top: Array
    upper: Array  # Lower edge of the upper lip.
    lower: Array  # Upper edge of the lower lip.
    bottom: Array


def _locate(face: Faces, view: View) -> _Lips:
    """Computes the edges: a bow above, a curve below, apart by the opening."""
    size, full = view.anatomy, face.identity.lip_fullness
    across = view.u / size.mouth_width
    span = jnp.clip(1.0 - across * across, 0.0, 1.0)
    middle = size.mouth_y - size.mouth_lift * across * across
    gap = size.mouth_opening * span
    upper = middle - 0.30 * gap + 0.006 * span * jnp.cos(6.0 * across)
    lower = middle + 0.70 * gap + 0.006 * span * jnp.cos(6.0 * across)
    stretch = 1.0 - 0.20 * jnp.maximum(face.attributes.smile, 0.0)
    thinning = stretch * (1.0 - 0.35 * face.attributes.age)
    bow = span**0.8 * (1.0 - 0.22 * blob(across, span * 0.0, 0.16, 1.0))
    top = upper - (0.046 + 0.014 * full) * thinning * bow
    bottom = lower + (0.058 + 0.018 * full) * thinning * span**0.7
    return _Lips(span, top, upper, lower, bottom)


def _lip_colour(face: Faces) -> Array:
    """Skin with more blood, or paint over it, [3, 1, 1]."""
    bare = skin_colour(face) * jnp.array([0.86, 0.50, 0.50]).reshape(3, 1, 1)
    hue = mix(1.0, 0.90, face.identity.makeup_hue)
    return mix(bare, hue_colour(hue, saturation=0.93, value=0.42), 0.85 * face.attributes.makeup)


def _gap(view: View, lips: _Lips) -> Array:
    """Teeth in the dark of the mouth, [3, R, R]."""
    size = view.anatomy
    height = jnp.maximum(size.mouth_opening, 0.02)
    edge = lips.upper + 0.78 * height * lips.span**0.5
    teeth = coverage(view.y - edge, view.pixel + 0.012)
    gaps = jnp.cos(110.0 * view.u) ** 16 * visible(35.0, view.texel)
    corners = smooth_step(0.0, 0.55, lips.span)
    shaded = colour(238, 230, 218) * (1.0 - 0.25 * gaps) * (0.35 + 0.65 * corners)
    shaded = shaded * smooth_step(-0.3, 0.35, (view.y - lips.upper) / height)
    return mix(colour(62, 16, 18), shaded, teeth)


def add_mouth(skin: Array, face: Faces, view: View) -> Array:
    """Draws the mouth into the albedo [3, R, R] of the face."""
    lips = _locate(face, view)
    y, u, pixel = view.y, view.u, view.texel
    beyond = jnp.abs(u) - view.anatomy.mouth_width

    # Lips: the upper one dark, the lower one with a soft light and fine creases.
    outside = jnp.maximum(jnp.maximum(lips.top - y, y - lips.bottom), beyond)
    creases = jnp.sin(95.0 * u + 4.0 * jnp.sin(23.0 * u)) * visible(15.0, pixel)
    is_lower = smooth_step(-0.01, 0.01, y - 0.5 * (lips.upper + lips.lower))
    light = mix(0.80, 1.05, is_lower) * (1.0 + 0.05 * creases)
    full = 0.5 * (lips.lower + lips.bottom)
    gloss = blob(u, y - full, 0.06, 0.012) * (0.16 + 0.40 * face.attributes.makeup)
    lip = _lip_colour(face) * light + 0.25 * gloss
    softness = mix(0.014, 0.005, face.attributes.makeup)
    skin = mix(skin, lip, 0.92 * coverage(outside, pixel + softness))

    # Gap: where the lips part, else a dark line between them.
    inside = jnp.maximum(jnp.maximum(lips.upper - y, y - lips.lower), beyond)
    parted = smooth_step(0.0, 0.015, view.anatomy.mouth_opening)
    skin = mix(skin, _gap(view, lips), parted * coverage(inside, pixel))
    line = stroke(y - lips.upper, 0.0075, view.pixel) * coverage(beyond - 0.01, pixel + 0.02)
    corner = blob(beyond, y - lips.upper, 0.016, 0.012)
    dark = jnp.clip(0.75 * line + 0.45 * corner, 0.0, 0.85)
    return skin * (1.0 - dark * jnp.array([0.85, 1.0, 1.0]).reshape(3, 1, 1))
