"""What faces wear: paint, glasses, a patterned hat, earrings."""

import math

import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.data.faces.anatomy import View, turn_columns
from sfe_jax.data.faces.attributes import Faces
from sfe_jax.data.faces.shapes import (
    blob,
    colour,
    coverage,
    ellipse,
    hue_colour,
    mix,
    smooth_step,
    stroke,
    value_noise,
    visible,
)


def add_face_paint(skin: Array, face: Faces, view: View) -> Array:
    """Paints three bars on each cheek, or dots around the eyes, on the albedo [3, R, R]."""
    details, size = face.details, view.anatomy
    side = jnp.abs(view.u)
    hue, dots = details.paint_hue, (details.paint_layout > 0.5).astype(jnp.float32)

    # Bars: two hues with white between them.
    row = (view.y - 0.155 - 0.25 * (side - 0.25)) / 0.05
    index = jnp.clip(jnp.round(row), -1.0, 1.0)
    bars = jnp.maximum(jnp.abs(row - index) * 0.05 - 0.019, jnp.abs(side - 0.26) - 0.095)
    white = colour(240, 238, 230)
    outer_bars = mix(
        hue_colour(hue, saturation=0.95, value=0.75),
        hue_colour(hue + 0.4, saturation=0.95, value=0.65),
        0.5 + 0.5 * index,
    )
    bar_colour = mix(outer_bars, white, 1.0 - jnp.abs(index))

    # Dots: a crescent from brow to cheek.
    angle = jnp.arctan2(view.y - size.eye_y - 0.01, side - size.eye_x)
    turns = jnp.clip(jnp.round(angle / 0.42), -2.0, 3.0)
    radius = 0.165
    dx = side - size.eye_x - radius * jnp.cos(0.42 * turns)
    dy = view.y - size.eye_y - 0.01 - radius * jnp.sin(0.42 * turns)
    circles = jnp.sqrt(dx * dx + dy * dy + 1e-8) - 0.023
    dot_colour = hue_colour(hue + 0.13 * turns, saturation=0.85, value=0.8)

    shape, paint = mix(bars, circles, dots), mix(bar_colour, dot_colour, dots)
    worn = 0.88 + 0.12 * value_noise(30.0 * view.u, 30.0 * view.y, view.seed + 18)
    return mix(skin, paint, details.face_paint * worn * coverage(shape, view.texel))


def add_glasses(image: Array, face: Faces, view: View) -> Array:
    """Draws rims, bridge, temples, tinted lenses and their glints; [3, R, R]."""
    size, frame, glasses = view.anatomy, face.identity.frame, face.attributes.glasses
    alpha = smooth_step(0.0, 0.6, glasses)  # Beyond, only the rims grow.
    # Glasses stand out from the face by 0.05.
    u = turn_columns(view.x - 0.05 * view.turn, -jnp.arcsin(view.turn))
    out, down = jnp.abs(u) - size.eye_x - 0.004, view.y - size.eye_y - 0.018
    power = mix(2.2, 4.5, frame)  # From round to square.
    rx, ry = 0.158, 0.118
    ratio = (jnp.abs(out / rx) ** power + jnp.abs(down / ry) ** power + 1e-6) ** (1.0 / power)
    lens = (ratio - 1.0) * 0.125
    thickness = 0.006 + 0.009 * glasses
    rim = jnp.abs(lens) - thickness
    bridge = jnp.abs(down + 0.030 + 0.25 * u * u) - 0.011
    rim = jnp.minimum(rim, jnp.maximum(bridge, jnp.abs(u) - (size.eye_x - rx + 0.02)))
    temple = jnp.abs(down + 0.035) - 0.011
    temple = jnp.maximum(temple, jnp.maximum(out - 0.20, rx - out))
    rim = jnp.minimum(rim, jnp.maximum(temple, view.head))

    shadow = stroke(jnp.maximum(jnp.abs(lens) - thickness, 0.0), 0.022, view.pixel)
    image = image * (1.0 - 0.22 * alpha * shadow)
    glass = coverage(lens, view.texel)
    streak = jnp.exp(-0.5 * ((out * jnp.sign(u) + down - 0.05 * view.light[0] + 0.03) / 0.018) ** 2)
    image = mix(image, image * 0.90 + 0.035, alpha * glass)
    image = image + 0.16 * alpha * glass * streak * smooth_step(-0.09, 0.02, -down)
    material = mix(
        colour(20, 18, 20), colour(108, 52, 24), smooth_step(0.45, 0.75, (frame * 3.0) % 1.0)
    )
    shine = 0.10 * jnp.exp(-0.5 * ((lens - 0.006) / 0.004) ** 2) * smooth_step(0.0, 0.08, -down)
    return mix(image, material + shine, alpha * coverage(rim, view.texel))


def _hat_pattern(face: Faces, view: View) -> Array:
    """Zigzag, checks or dots in two colours, [3, R, R]."""
    details = face.details
    column, row = view.u / 0.15, (view.y + 1.0) / 0.15
    soft = view.texel / 0.15 + 0.05
    wedge = jnp.abs(column - jnp.round(column))
    # Signed distances in units of a period; positive is the second colour.
    zigzag = 0.25 - jnp.abs(row + 0.9 * wedge - jnp.round(row + 0.9 * wedge))
    checks = 0.3 * jnp.sin(math.pi * column) * jnp.sin(math.pi * row)
    dots = 0.30 - jnp.sqrt(wedge**2 + (row - jnp.round(row)) ** 2 + 1e-8)
    kind = jnp.floor(3.0 * details.hat_pattern)
    signed = jnp.where(kind < 0.5, zigzag, jnp.where(kind < 1.5, checks, dots))
    ground = hue_colour(details.hat_hue, saturation=0.85, value=0.45)
    figure = hue_colour(details.hat_hue + 0.45, saturation=0.55, value=0.85)
    return mix(figure, ground, coverage(signed, soft))


def add_hat(image: Array, face: Faces, view: View) -> Array:
    """Draws a knitted hat with a ribbed cuff over hair and forehead; [3, R, R]."""
    size, alpha = view.anatomy, smooth_step(0.0, 0.6, face.details.hat)
    crown = ellipse(view.x + 0.03 * view.turn, view.y + 0.30, size.face_width + 0.075, 0.60)
    brim = view.y + 0.36 - 0.22 * view.u * view.u
    hat = jnp.maximum(crown, brim)
    cuff = smooth_step(-0.012, 0.012, brim + 0.135)
    ribs = jnp.cos(85.0 * view.u) * visible(13.5, view.texel)
    knit = jnp.sin(90.0 * view.u) * jnp.sin(90.0 * view.y) * visible(14.0, view.pixel)
    cuff_colour = hue_colour(face.details.hat_hue, saturation=0.85, value=0.32)
    wool = mix(
        _hat_pattern(face, view) * (1.0 + 0.12 * knit), cuff_colour * (1.0 + 0.35 * ribs), cuff
    )
    nx, ny = view.x / 0.62, (view.y + 0.30) / 0.66
    nz = jnp.sqrt(jnp.maximum(1.0 - nx * nx - ny * ny, 0.05))
    lx, ly, lz = view.light
    light = 0.28 + 0.85 * jnp.clip((nx * lx + ny * ly + nz * lz + 0.3) / 1.3, 0.0, 1.0)
    seam = 1.0 - 0.35 * stroke(brim + 0.135, 0.012, view.pixel)
    shadow = jnp.exp(-jnp.maximum(brim, 0.0) / 0.05) * coverage(view.head, view.pixel)
    image = image * (1.0 - 0.45 * alpha * shadow)
    return mix(image, wool * light * seam, alpha * coverage(hat, view.texel))


def add_earrings(image: Array, face: Faces, view: View) -> Array:
    """Hangs a golden drop from each ear that is seen; [3, R, R]."""
    alpha = smooth_step(0.0, 0.6, face.details.earrings)
    for side in (-1.0, 1.0):
        towards = -side * view.turn
        column = side * (view.anatomy.face_width + 0.005 - 0.22 * jnp.maximum(towards, 0.0))
        dx, dy = view.x - column, view.y - 0.235
        shown = alpha * smooth_step(-0.25, -0.02, towards)
        drop = ellipse(dx, dy, 0.034, 0.055)
        tone = mix(colour(250, 214, 120), colour(150, 92, 30), smooth_step(-0.03, 0.04, dy + dx))
        glint = 0.9 * blob(dx + 0.010, dy + 0.018, 0.010, 0.014)
        image = mix(image, tone + glint, shown * coverage(drop, view.pixel))
    return image
