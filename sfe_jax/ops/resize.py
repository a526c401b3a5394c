"""Resizing of images: bilinear in two conventions, nearest, averages, and bicubic by whole factors.

Nothing here antialiases except the last two. Whole-number ratios use slices and means; other sizes
one small static matrix per axis, which the matrix unit multiplies.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.platforms import by_platform
from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array

Size = int | tuple[int, int]
"""Height and width, or one number for both."""


def _checked_size(x: Array, size: Size) -> tuple[int, int]:
    check_shape("x", x.shape, (None, None, None, None))
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ShapeError(f"`size` is {size}; required are a height and a width of at least 1")
    return height, width


def _interpolation_matrix(positions: np.ndarray, length: int) -> np.ndarray:
    """Weights [outputs, length] of the two samples beside each position; outside counts as edge."""
    positions = np.clip(positions, 0, length - 1)
    distances = np.abs(positions[:, None] - np.arange(length))
    return np.maximum(0, 1 - distances)


def _pooling_matrix(length: int, size: int) -> np.ndarray:
    """Weights [size, length]: bin i covers floor(i L / n) up to, excluding, ceil((i + 1) L / n)."""
    index = np.arange(size)
    start, stop = index * length // size, -(-(index + 1) * length // size)
    sample = np.arange(length)
    inside = (sample >= start[:, None]) & (sample < stop[:, None])
    return inside / (stop - start)[:, None]


def _multiply(x: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    """`_apply` by products of matrices."""
    precision = product_precision(x.dtype)
    x = jnp.einsum("hi,nijc->nhjc", jnp.asarray(rows, x.dtype), x, precision=precision)
    return jnp.einsum("wj,nhjc->nhwc", jnp.asarray(columns, x.dtype), x, precision=precision)


def _sum_samples(x: Array, matrix: np.ndarray, axis: int) -> Array:
    """Multiplies a matrix of few numbers a row onto an axis: sums of weighted samples."""
    count = np.count_nonzero(matrix, axis=1).max()
    samples = np.argsort(matrix == 0, axis=1, kind="stable")[:, :count]  # Zeros come last.
    weights = np.take_along_axis(matrix, samples, axis=1)
    along = [-1 if i == axis else 1 for i in range(x.ndim)]
    terms = [
        jnp.take(x, samples[:, k], axis=axis, mode="clip")
        * jnp.asarray(weights[:, k].reshape(along), x.dtype)
        for k in range(count)
    ]
    return functools.reduce(jnp.add, terms)


def _apply(x: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    """Multiplies [h, H] and [w, W] matrices onto x [N, H, W, C], giving [N, h, w, C].

    On a GPU as sums: XLA finds no tiles for the slopes of these products in the Inverter's step.
    """

    def sums(x: Array) -> Array:
        return _sum_samples(_sum_samples(x, rows, 1), columns, 2)

    return by_platform(x, gpu=sums, default=lambda x: _multiply(x, rows, columns))


def _halfway_samples(x: Array, ratio: int, axis: int) -> Array:
    """The middle sample of every `ratio`, or the mean of the two beside the middle."""
    cells = x.reshape(*x.shape[:axis], x.shape[axis] // ratio, ratio, *x.shape[axis + 1 :])
    before, after = (ratio - 1) // 2, ratio // 2
    low, high = (lax.index_in_dim(cells, i, axis + 1, keepdims=False) for i in (before, after))
    return low if before == after else (low + high) * 0.5


def resize_bilinear(x: Array, size: Size) -> Array:
    """Bilinear interpolation between pixel centres at half-integers, without antialiasing.

    Output pixel i lies at (i + 1/2) H / h - 1/2. From 1024 to 256 this is the mean of the central
    2x2 pixels of each 4x4 cell, not the mean of the cell.

    Args:
        x: [N, H, W, C], float32 or bfloat16.
        size: (height, width) of the output, or one number for both.

    Returns:
        [N, height, width, C], dtype of `x`.

    Raises:
        ShapeError: If `x` has another rank, or a size is below 1.

    Source: PyTorch, torch.nn.functional.interpolate(mode="bilinear", align_corners=False).
    """
    height, width = _checked_size(x, size)
    if x.shape[1] % height == 0 and x.shape[2] % width == 0:
        rows = _halfway_samples(x, x.shape[1] // height, 1)
        return _halfway_samples(rows, x.shape[2] // width, 2)

    def matrix(length: int, outputs: int) -> np.ndarray:
        positions = (np.arange(outputs) + 0.5) * length / outputs - 0.5
        return _interpolation_matrix(positions, length)

    return _apply(x, matrix(x.shape[1], height), matrix(x.shape[2], width))


def resize_bilinear_aligned(x: Array, size: Size) -> Array:
    """Bilinear interpolation in which the corner pixels of input and output coincide.

    Output pixel i lies at i (H - 1) / (h - 1); a single output pixel is the first input pixel.

    Args:
        x: [N, H, W, C], float32 or bfloat16.
        size: (height, width) of the output, or one number for both.

    Returns:
        [N, height, width, C], dtype of `x`.

    Raises:
        ShapeError: If `x` has another rank, or a size is below 1.

    Source: PyTorch, torch.nn.functional.interpolate(mode="bilinear", align_corners=True).
    """
    height, width = _checked_size(x, size)

    def matrix(length: int, outputs: int) -> np.ndarray:
        positions = np.arange(outputs) * (length - 1) / max(outputs - 1, 1)
        return _interpolation_matrix(positions, length)

    return _apply(x, matrix(x.shape[1], height), matrix(x.shape[2], width))


def resize_nearest(x: Array, size: Size) -> Array:
    """Nearest neighbour by PyTorch's rule: output pixel i copies input pixel floor(i H / h).

    Args:
        x: [N, H, W, C].
        size: (height, width) of the output, or one number for both.

    Returns:
        [N, height, width, C], dtype of `x`.

    Raises:
        ShapeError: If `x` has another rank, or a size is below 1.

    Source: PyTorch, torch.nn.functional.interpolate(mode="nearest").
    """
    for axis, outputs in zip((1, 2), _checked_size(x, size), strict=True):
        index = np.arange(outputs) * x.shape[axis] // outputs
        x = jnp.take(x, index, axis=axis, mode="clip")
    return x


def adaptive_average_pool(x: Array, size: Size) -> Array:
    """Mean over bins that cover the image; bins overlap where the ratio is not whole.

    Bin i of n covers floor(i L / n) up to, excluding, ceil((i + 1) L / n).

    Args:
        x: [N, H, W, C], float32 or bfloat16.
        size: (height, width) of the output, or one number for both.

    Returns:
        [N, height, width, C], dtype of `x`.

    Raises:
        ShapeError: If `x` has another rank, or a size is below 1.

    Source: PyTorch, torch.nn.AdaptiveAvgPool2d; the same as interpolate(mode="area").
    """
    height, width = _checked_size(x, size)
    n, rows, columns, channels = x.shape
    if rows % height == 0 and columns % width == 0:
        cells = x.reshape(n, height, rows // height, width, columns // width, channels)
        return jnp.mean(cells, axis=(2, 4))
    return _apply(x, _pooling_matrix(rows, height), _pooling_matrix(columns, width))


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys's cubic kernel with a = -1/2, of distances x."""
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _bicubic_matrix(length: int, factor: int) -> np.ndarray:
    """Weights [length / factor, length] of 4 factor samples each, reflected at the edges."""
    taps = 4 * factor
    kernel = _cubic((np.arange(taps) - 2 * factor + 0.5) / factor)
    kernel /= kernel.sum()
    before = 3 * factor // 2
    padded = np.pad(np.arange(length), (before, 3 * factor - before), mode="reflect")
    matrix = np.zeros((length // factor, length))
    for row in range(length // factor):
        np.add.at(matrix[row], padded[row * factor : row * factor + taps], kernel)
    return matrix


def reduce_bicubic(x: Array, factor: int) -> Array:
    """Shrinks by a whole factor with an antialiased bicubic kernel of 4 factor taps.

    A factor of 1 is no identity: it blurs and shifts by half a pixel, as in the original.

    Args:
        x: [N, H, W, C], float32 or bfloat16.
        factor: At least 1; a divisor of H and W, and not H or W itself.

    Returns:
        [N, H / factor, W / factor, C], dtype of `x`; beyond its range by a few percent at edges.

    Raises:
        ShapeError: If `x` has another rank, or its sides do not fit the factor.

    Source: pixel2style2pixel, datasets/augmentations.py.
    """
    check_shape("x", x.shape, (None, None, None, None))
    height, width = x.shape[1:3]
    if factor < 1 or height % factor or width % factor or min(height, width) < 2 * factor:
        required = "required is a factor that divides both sides and leaves at least 2 pixels"
        raise ShapeError(f"`x` is {height} x {width} and `factor` {factor}; {required}")
    return _apply(x, _bicubic_matrix(height, factor), _bicubic_matrix(width, factor))


def pool_to(images: Array, size: int | None) -> Array:
    """Averages pictures down to a size; smaller ones stay as they are.

    Args:
        images: [N, R, R, C], float32 or bfloat16.
        size: Pixels a side; bins overlap where R is no multiple of it. None for R.

    Returns:
        [N, size, size, C], or `images` if R is not above `size`; dtype of `images`.
    """
    if size is None or images.shape[1] <= size:
        return images
    return adaptive_average_pool(images, size)
