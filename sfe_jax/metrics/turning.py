"""Pictures turned about their middle as exactly as their band allows.

Source: StyleGAN3 (arXiv:2106.12423), appendix E.3.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.ops.grid_sample import affine_grid, grid_sample

LANCZOS = 3
"""Half the width of the Lanczos window, in pixels."""

SUPPORT = 6
"""Half the width of a rotation's filter, in pixels."""

EXTENT = 64
"""Half the width at which that filter is convolved before it is cut, in pixels."""

UP = 4
"""Samples per pixel between which a turned picture is interpolated."""


def rotation(angle: float) -> np.ndarray:
    """The matrix float32 [3, 3] of a turn about the origin, in radians."""
    matrix = np.eye(3, dtype=np.float32)
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix[:2, :2] = [[cosine, sine], [-sine, cosine]]
    return matrix


def _convolve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Circular convolution of [S, S] and [S, S]."""
    return np.fft.ifft2(np.fft.fft2(x) * np.fft.fft2(y)).real


def band_filter(matrix: np.ndarray, *, up: int) -> np.ndarray:
    """Keeps of a picture what both its pixels and the turned ones can hold.

    The ideal filter of both grids together, under the window of both together.

    Args:
        matrix: [3, 3], the turn.
        up: Taps per pixel.

    Returns:
        float32 [T, T], T = 12 up - 1; each of the up^2 interleaved parts has the sum 1 / up^2.

    Source: arXiv:2106.12423, appendix E.3.
    """
    index = np.arange(2 * EXTENT * up - 1)
    taps = (index - np.where(index < EXTENT * up, 0, len(index))) / up  # 0, 1, ..., -2, -1.
    x, y = np.meshgrid(taps, taps)
    turned_x, turned_y = np.einsum("ij,jkl->ikl", matrix[:2, :2].astype(np.float64), [x, y])

    def window(u: np.ndarray) -> np.ndarray:
        return np.where(np.abs(u) < LANCZOS, np.sinc(u / LANCZOS), 0)

    ideal = _convolve(np.sinc(x) * np.sinc(y), np.sinc(turned_x) * np.sinc(turned_y))
    windows = _convolve(window(x) * window(y), window(turned_x) * window(turned_y))
    middle = np.fft.fftshift(ideal * windows)
    cut = EXTENT * up - SUPPORT * up
    kept = np.pad(middle[cut:-cut, cut:-cut], (0, 1))
    parts = kept.reshape(2 * SUPPORT, up, 2 * SUPPORT, up)
    parts = parts / (np.sum(parts, axis=(0, 2), keepdims=True) * up**2)
    return parts.reshape(kept.shape)[:-1, :-1].astype(np.float32)


@partial(jax.jit, static_argnames=("up", "padding"))
def _filter(images: Array, taps: Array, *, up: int, padding: tuple[int, int]) -> Array:
    """`upfirdn2d` with one traced filter [T, T] for every channel of [N, H, W, C].

    Channels become samples: XLA is slow at depthwise convolutions.
    """
    n, height, width, channels = images.shape
    planes = images.transpose(0, 3, 1, 2).reshape(n * channels, height, width, 1)
    filtered = lax.conv_general_dilated(
        planes,
        taps[::-1, ::-1, None, None],
        window_strides=(1, 1),
        padding=[(padding[0], padding[1] + up - 1)] * 2,
        lhs_dilation=(up, up),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=lax.Precision.HIGHEST,
    )
    return filtered.reshape(n, channels, *filtered.shape[1:3]).transpose(0, 2, 3, 1)


@jax.jit
def _rotate(images: Array, taps: Array, matrix: Array) -> tuple[Array, Array]:
    n, height, width, _ = images.shape
    border = len(taps) // 2
    ends = ((len(taps) + UP - 1) // 2, (len(taps) - UP) // 2)
    padding = (ends[0] + border, ends[1] + border)
    fine = _filter(images, taps * UP**2, up=UP, padding=padding)  # [N, 4 H + 2 b, 4 W + 2 b, C]

    # Places, from turned pixels to fine ones; the fine grid lies an eighth of a pixel off.
    size = jnp.asarray([width, height], jnp.float32)
    theta = jnp.linalg.inv(matrix)[:2]
    theta = theta.at[:, 2].set(2 * theta[:, 2] + 1 / (UP * size))
    theta = theta * (size / (size + 2 * border / UP))[:, None]
    grid = affine_grid(theta[None], height=height, width=width)
    turned = grid_sample(fine, jnp.broadcast_to(grid, (n, *grid.shape[1:])))

    # Mask: places whose nearest fine pixel saw no outside.
    fine_size = jnp.asarray([fine.shape[2], fine.shape[1]], jnp.float32)[None, None, None]
    nearest = jnp.round(((grid + 1) * fine_size - 1) / 2)
    outer = 2 * border + 1
    inside = jnp.all((nearest >= outer) & (nearest < fine_size - outer), axis=-1, keepdims=True)
    return turned, inside.astype(jnp.float32)


def rotate(images: Array, angle: float) -> tuple[Array, Array]:
    """Turns pictures about their middle.

    They are upsampled by the filter of their band, and sampled between its pixels.

    Args:
        images: [N, H, W, C].
        angle: In radians.

    Returns:
        The pictures, and the mask [1, H, W, 1] of pixels that saw no outside.

    Source: arXiv:2106.12423, appendix E.3.
    """
    check_shape("images", images.shape, (None, None, None, None))
    matrix = rotation(angle)
    return _rotate(images, band_filter(matrix, up=UP), matrix)


def rotate_in_place(images: Array, angle: float) -> tuple[Array, Array]:
    """Gives pictures that a generator has turned the band that `rotate` would leave them.

    Args:
        images: [N, H, W, C], turned by `angle`.
        angle: In radians.

    Returns:
        The pictures, and the mask [1, H, W, 1] of pixels that saw no outside.

    Source: arXiv:2106.12423, appendix E.3.
    """
    check_shape("images", images.shape, (None, None, None, None))
    taps = band_filter(rotation(-angle), up=1)
    border = len(taps) // 2
    mask = np.zeros((1, *images.shape[1:3], 1), np.float32)
    mask[:, border:-border, border:-border] = 1
    return _filter(images, taps, up=1, padding=(border, border)), jnp.asarray(mask)
