"""Distances, coverages, colours and noise: what the parts of a face are drawn with.

Lengths are in half pictures: a picture spans [-1, 1] both ways, y points down. Grids are
[1, R, R] and colours [3, 1, 1], linear light, so that they combine without a rank change. Every
form is a function of continuous coordinates, so it is the same at any resolution; what is finer
than a pixel fades into its average.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp

from sfe_jax.core.easing import ease
from sfe_jax.core.types import Array


def mix(first: Array | float, second: Array | float, amount: Array | float) -> Array:
    """Blends linearly: `first` at amount 0, `second` at 1."""
    return jnp.asarray(first + (second - first) * amount)


def smooth_step(low: Array | float, high: Array | float, value: Array) -> Array:
    """Rises from 0 at `low` to 1 at `high` with zero slope at both ends."""
    return ease(jnp.clip((value - low) / (high - low), 0.0, 1.0))


def coverage(distance: Array, pixel: Array | float) -> Array:
    """Part of each pixel that lies inside a shape.

    Args:
        distance: [1, R, R], signed distance to the edge, negative inside.
        pixel: Width of the transition: that of a pixel, or more for a soft edge.

    Returns:
        [1, R, R] in [0, 1].
    """
    return 1.0 - smooth_step(-0.75 * pixel, 0.75 * pixel, distance)


def stroke(distance: Array, width: Array | float, pixel: Array | float) -> Array:
    """Strength of a soft line whose Gaussian profile the pixel has averaged.

    Args:
        distance: [1, R, R], distance to the line; its sign does not matter.
        width: Standard deviation of the profile; its area is kept when a pixel is wider.
        pixel: Size of a pixel.

    Returns:
        [1, R, R] in [0, 1].
    """
    squared = width * width + 0.1 * pixel * pixel
    return jnp.exp(-0.5 * distance * distance / squared) * width / jnp.sqrt(squared)


def blob(dx: Array, dy: Array, rx: Array | float, ry: Array | float) -> Array:
    """Gaussian spot exp(-((dx / rx)^2 + (dy / ry)^2) / 2), [1, R, R]."""
    return jnp.exp(-0.5 * ((dx / rx) ** 2 + (dy / ry) ** 2))


def ellipse(dx: Array, dy: Array, rx: Array | float, ry: Array | float) -> Array:
    """Signed distance to an ellipse, to first order: k0 (k0 - 1) / k1.

    Source: Inigo Quilez, "Ellipsoid - SDF" (k0 = |p / r|, k1 = |p / r^2|).
    """
    k0 = jnp.sqrt((dx / rx) ** 2 + (dy / ry) ** 2)
    k1 = jnp.sqrt((dx / rx**2) ** 2 + (dy / ry**2) ** 2)
    return k0 * (k0 - 1.0) / jnp.maximum(k1, 1e-4)


def smooth_union(first: Array, second: Array, radius: float) -> Array:
    """Minimum of two distances with a fillet of about `radius`."""
    overlap = jnp.maximum(radius - jnp.abs(first - second), 0.0) / radius
    return jnp.minimum(first, second) - 0.25 * radius * overlap * overlap


def colour(red: float, green: float, blue: float) -> Array:
    """Converts sRGB levels in [0, 255] to a linear colour [3, 1, 1], by the power 2.2."""
    return jnp.asarray([(level / 255) ** 2.2 for level in (red, green, blue)]).reshape(3, 1, 1)


def palette(stops: Sequence[tuple[float, float, float]], position: Array) -> Array:
    """Colour at `position` in [0, 1] along evenly spaced sRGB stops, [3, 1, 1]."""
    scaled = jnp.clip(position, 0.0, 1.0) * (len(stops) - 1)
    weights = [jnp.maximum(1.0 - jnp.abs(scaled - index), 0.0) for index in range(len(stops))]
    return sum((colour(*stop) * w for stop, w in zip(stops, weights, strict=True)), jnp.zeros(()))


def hue_colour(hue: Array, *, saturation: float, value: Array | float) -> Array:
    """Colour [3, 1, 1] of `hue` in turns, by three cosines a third of a turn apart."""
    phases = jnp.array([0.0, 1.0 / 3.0, 2.0 / 3.0]).reshape(3, 1, 1)
    wave = 0.5 + 0.5 * jnp.cos(2.0 * math.pi * (hue - phases))
    return value * mix(1.0, wave, saturation)


def luminance(image: Array) -> Array:
    """Rec. 709 luminance of a linear colour or image: [3, ...] -> [1, ...]."""
    return 0.2126 * image[0:1] + 0.7152 * image[1:2] + 0.0722 * image[2:3]


def hash_unit(column: Array, row: Array, seed: Array) -> Array:
    """Pseudo-random number in [0, 1) of an integer cell; equal on every device.

    Args:
        column: int32 of any shape.
        row: int32 of that shape.
        seed: uint32 [], chooses the pattern.

    Returns:
        float32 of that shape.

    Source: the multipliers are those of Teschner et al. 2003 and of Knuth's Fibonacci hashing.
    """
    mixed = column.astype(jnp.uint32) * jnp.uint32(73856093)
    mixed ^= row.astype(jnp.uint32) * jnp.uint32(19349663)
    mixed ^= seed * jnp.uint32(83492791)
    mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(2654435761)
    mixed = (mixed ^ (mixed >> 13)) * jnp.uint32(2246822519)
    return ((mixed ^ (mixed >> 16)) >> 8).astype(jnp.float32) * 2.0**-24


def value_noise(x: Array, y: Array, seed: Array) -> Array:
    """Smooth random field in [-1, 1] with one independent value per unit cell, [1, R, R]."""
    column, row = jnp.floor(x), jnp.floor(y)
    tx, ty = x - column, y - row
    tx, ty = tx * tx * (3.0 - 2.0 * tx), ty * ty * (3.0 - 2.0 * ty)
    i, j = column.astype(jnp.int32), row.astype(jnp.int32)
    upper = mix(hash_unit(i, j, seed), hash_unit(i + 1, j, seed), tx)
    lower = mix(hash_unit(i, j + 1, seed), hash_unit(i + 1, j + 1, seed), tx)
    return 2.0 * mix(upper, lower, ty) - 1.0


def visible(frequency: float, pixel: Array | float) -> Array:
    """Contrast that a texture keeps when pixels average it: exp(-(pi f p)^2 / 6), about sinc.

    Args:
        frequency: Cycles per unit length; of `value_noise` half the cells per unit length.
        pixel: Size of a pixel.
    """
    return jnp.exp(-((math.pi * frequency * jnp.asarray(pixel)) ** 2) / 6.0)


def spots(x: Array, y: Array, seed: Array, *, pixel: Array | float) -> Array:
    """One round spot at a random place of every unit cell, in size and strength random too.

    Args:
        x: [1, R, R], in cells.
        y: [1, R, R], in cells.
        seed: uint32 [].
        pixel: Size of a pixel, in cells.

    Returns:
        [1, R, R] in [0, 1].
    """
    i, j = jnp.floor(x).astype(jnp.int32), jnp.floor(y).astype(jnp.int32)
    chance = hash_unit(i, j, seed)
    dx = x - jnp.floor(x) - 0.35 - 0.3 * hash_unit(i, j, seed + 1)
    dy = y - jnp.floor(y) - 0.35 - 0.3 * hash_unit(i, j, seed + 2)
    radius = 0.09 + 0.09 * chance
    squared = radius**2 + 0.1 * pixel**2
    return chance * jnp.exp(-0.5 * (dx * dx + dy * dy) / squared) * radius**2 / squared
