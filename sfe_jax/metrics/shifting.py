"""Pictures shifted by whole pixels and by fractions, with masks of what is known.

Source: StyleGAN3 (arXiv:2106.12423), appendix E.2.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.types import Array

LANCZOS = 3
"""Half the width of the Lanczos window, in pixels."""


def translation(shift: np.ndarray) -> np.ndarray:
    """The matrix float32 [3, 3] that adds (x, y) [2]."""
    matrix = np.eye(3, dtype=np.float32)
    matrix[:2, 2] = shift
    return matrix


def _between(length: int, start: Array, stop: Array) -> Array:
    index = jnp.arange(length)
    return ((index >= start) & (index < stop)).astype(jnp.float32)


def _rectangle(size: tuple[int, ...], starts: Array, stops: Array) -> Array:
    """1 inside, [1, H, W, 1]; starts and stops are (x, y)."""
    rows, columns = (_between(n, starts[i], stops[i]) for n, i in zip(size, (1, 0), strict=True))
    return (rows[:, None] * columns[None])[None, :, :, None]


@jax.jit
def shift_whole(images: Array, pixels: Array) -> tuple[Array, Array]:
    """Shifts by whole pixels.

    Args:
        images: [N, H, W, C].
        pixels: int32 [2], to the right and down.

    Returns:
        The pictures, and the mask [1, H, W, 1] of pixels that were inside before; what lies
        outside it has no meaning.
    """
    size = images.shape[1:3]
    stops = jnp.asarray(size[::-1]) + jnp.minimum(pixels, 0)
    mask = _rectangle(size, jnp.maximum(pixels, 0), stops)
    return jnp.roll(jnp.roll(images, pixels[1], axis=1), pixels[0], axis=2), mask


def _lanczos_taps(fraction: Array) -> Array:
    """Weights [6] of the samples at -2, ..., 3 that shift by a fraction of a pixel."""
    distance = jnp.arange(1 - LANCZOS, 1 + LANCZOS, dtype=fraction.dtype) - fraction
    taps = jnp.sinc(distance) * jnp.sinc(distance / LANCZOS)
    return taps / jnp.sum(taps)


@jax.jit
def shift_fraction(images: Array, pixels: Array) -> tuple[Array, Array]:
    """Shifts by fractions of a pixel, interpolated by a Lanczos window.

    Args:
        images: [N, H, W, C].
        pixels: float [2], to the right and down.

    Returns:
        The pictures, and the mask [1, H, W, 1] of pixels whose window was inside; what lies
        outside it has no meaning.

    Source: arXiv:2106.12423, appendix E.2.
    """
    pixels = jnp.asarray(pixels, images.dtype)
    whole = jnp.floor(pixels).astype(jnp.int32)
    shifted = images
    for axis, i in ((1, 1), (2, 0)):  # Rows by y, columns by x.
        taps = _lanczos_taps(pixels[i] - whole[i].astype(pixels.dtype))
        offsets = range(1 - LANCZOS, 1 + LANCZOS)
        parts = [taps[k] * jnp.roll(shifted, whole[i] + o, axis) for k, o in enumerate(offsets)]
        shifted = functools.reduce(jnp.add, parts)
    size = images.shape[1:3]
    starts = jnp.maximum(whole + LANCZOS, 0)
    stops = jnp.asarray(size[::-1]) + jnp.minimum(whole + 1 - LANCZOS, 0)
    return shifted, _rectangle(size, starts, stops)
