"""Convolutions in the forms that a TPU is quick with: packed, or with the resampling folded in.

A 3x3 convolution between packed maps (`ops.packing`) is again a 3x3 convolution: each number of
its kernel stands where the plain one would meet that pixel. A 2x resampling with the filter of
StyleGAN2 and a 3x3 kernel are together one kernel of 6x6; seen from packed pixels, that is 3x3 too,
without a zero in it. So each form is the plain kernel times a constant tensor, then one dense
convolution:

    placed[h, w, p, r, i, q, s, o] = sum over a, b of places[h, w, p, r, q, s, a, b] k[a, b, i, o]

for taps h, w, phases p, r of the pixels read and q, s of those written.
"""

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.ops.correlation import correlate, same_padding
from sfe_jax.ops.packing import is_thin, join_planes, pack, split_planes, unpack

FILTER_TAPS = 4
"""Taps a side of the filters that can be folded in."""


def _same_places(size: int) -> np.ndarray:
    """Places of a kernel of `size` = 1 or 3 between packed maps: [size, size, 2, 2, 2, 2, ...]."""
    reach = size // 2
    tap, read, written = np.ogrid[:size, :2, :2]
    met = 2 * (tap - reach) + read - written + reach  # Which tap of the plain kernel.
    axis = (met[..., None] == np.arange(size)).astype(np.float32)
    return np.einsum("hpqa,wrsb->hwprqsab", axis, axis)


def _composed(size: int, f: np.ndarray) -> np.ndarray:
    """[6, 6, size, size]: a kernel of `size` = 1 or 3 after a filter [4, 4], as one of 6x6."""
    composed = np.zeros((6, 6, size, size), np.float32)
    first = (3 - size) // 2
    for a, b in np.ndindex(size, size):
        rows, columns = (slice(first + tap, first + tap + FILTER_TAPS) for tap in (a, b))
        composed[rows, columns, a, b] = f
    return composed


def _by_phase(composed: np.ndarray) -> np.ndarray:
    """[6, 6, a, b] -> taps and phases [3, 3, 2, 2, a, b]."""
    size = composed.shape[-1]
    return composed.reshape(3, 2, 3, 2, size, size).transpose(0, 2, 1, 3, 4, 5)


def _up_places(size: int, f: np.ndarray) -> np.ndarray:
    """Places of a doubling, a filter and a kernel, from a plain map to a packed one."""
    places = _by_phase(_composed(size, 4 * f))[::-1, ::-1]  # Output 2 i + q meets input i - tap.
    return places[:, :, None, None]


def _down_places(size: int, f: np.ndarray) -> np.ndarray:
    """Places of a filter, a kernel and a halving, from a packed map to a plain one."""
    return _by_phase(_composed(size, f[::-1, ::-1]))[:, :, :, :, None, None]


def _place(kernel: Array, places: np.ndarray) -> Array:
    """The kernel of a form: [k, k, I, O] -> [h, w, (p, r, I), (q, s, O)]."""
    taps, _, _, _, *shape = places.shape
    read, written = places.shape[2] ** 2, shape[0] ** 2
    _, _, channels, features = kernel.shape
    placed = jnp.einsum(
        "hwprqsab,abio->hwpriqso",
        jnp.asarray(places, kernel.dtype),
        kernel,
        precision=product_precision(kernel.dtype),
    )
    return placed.reshape(taps, taps, read * channels, written * features)


def packed_convolve(x: Array, kernel: Array) -> Array:
    """Convolution of the same size between packed maps.

    Args:
        x: [N, H, W, I] with even H and W.
        kernel: [k, k, I, O] with k = 1 or 3.

    Returns:
        [N, H, W, O].
    """
    placed = _place(kernel, _same_places(kernel.shape[0]))
    return unpack(correlate(pack(x), placed, padding=same_padding(placed)))


def folded_upsample(x: Array, kernel: Array, *, f: np.ndarray) -> Array:
    """`convolution.upsample_convolve` as one convolution from a plain map to a packed one.

    Args:
        x: [N, H, W, I].
        kernel: [k, k, I, O] with k = 1 or 3.
        f: Low-pass filter [4, 4], sum 1.

    Returns:
        [N, 2H, 2W, O].
    """
    placed = _place(kernel, _up_places(kernel.shape[0], f))
    return unpack(correlate(x, placed, padding=same_padding(placed)))


def folded_downsample(x: Array, kernel: Array, *, f: np.ndarray) -> Array:
    """`convolution.downsample_convolve` as one convolution from a packed map to a plain one.

    Args:
        x: [N, H, W, I] with even H and W.
        kernel: [k, k, I, O] with k = 1 or 3.
        f: Low-pass filter [4, 4], sum 1.

    Returns:
        [N, H / 2, W / 2, O].
    """
    placed = _place(kernel, _down_places(kernel.shape[0], f))
    return correlate(pack(x), placed, padding=same_padding(placed))


def paint(x: Array, kernel: Array) -> Array:
    """1x1 convolution to a picture, computed in planes: its numbers never lie four by four in rows.

    Args:
        x: [N, H, W, I]; packed if it is thin.
        kernel: [1, 1, I, O], O few.

    Returns:
        [N, H, W, O].
    """
    n, height, width, _ = x.shape
    precision = product_precision(x.dtype)
    if not is_thin(x.shape):
        planes = jnp.einsum("nhwi,io->nohw", x, kernel[0, 0], precision=precision)
        return planes.transpose(0, 2, 3, 1)
    matrix = _place(kernel, _same_places(1))[0, 0]
    planes = jnp.einsum("nhwi,io->nohw", pack(x), matrix, precision=precision)
    return join_planes(planes.reshape(n, 2, 2, -1, height // 2, width // 2))


def read_picture(x: Array, kernel: Array) -> Array:
    """1x1 convolution from a picture to a thin map, from planes to a packed map.

    Args:
        x: [N, H, W, I], I few, H and W even.
        kernel: [1, 1, I, O].

    Returns:
        [N, H, W, O].
    """
    n, height, width, _ = x.shape
    matrix = _place(kernel, _same_places(1))[0, 0]
    planes = split_planes(x).reshape(n, -1, height // 2, width // 2)
    return unpack(jnp.einsum("nihw,io->nhwo", planes, matrix, precision=product_precision(x.dtype)))
