"""The stages of ADA's pipeline as pure functions: geometry, colour, filter, noise, cutout.

Every stage leaves a sample whose parameters are neutral as it is, bit for bit.
"""

import jax.numpy as jnp
import numpy as np

from sfe_jax.augment.matrices import (
    across_luma,
    along_luma,
    brighten,
    multiply,
    product,
    rotate_2d,
    rotate_hue,
    scale_2d,
    translate_2d,
)
from sfe_jax.augment.parameters import Parameters
from sfe_jax.augment.wavelets import filter_bank, lowpass_filter
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.ops.grid_sample import sample_inside
from sfe_jax.ops.upfirdn2d import upfirdn2d

REACH = 3
"""Pixels on either side that the 12 taps of the low-pass reach, at twice the resolution."""

# Relative energy of the bands in natural images, whose spectrum falls as 1 / f.
_BAND_ENERGY = np.asarray([10, 1, 1, 1], np.float32) / 13


def _where_changed(changed: Array, new: Array, old: Array) -> Array:
    """`new` where `changed` [N] is true, else `old`, which rounding would otherwise alter."""
    return jnp.where(changed[:, None, None, None], new, old)


def geometric_matrix(parameters: Parameters, *, height: int, width: int) -> Array:
    """From output positions to input positions, in pixels about the centre of the image.

    Args:
        parameters: Of N samples.
        height: Of the image.
        width: Of the image.

    Returns:
        [N, 3, 3], the product of the inverses of all transforms, in their order.

    Source: stylegan2-ada-pytorch, training/augment.py (G_inv).
    """
    size = np.asarray([width, height], np.float32)[None]
    whole = jnp.round(parameters.shift * size)
    fractional = parameters.fractional_shift * size
    mirror = 1 - 2 * parameters.flip
    return product(
        scale_2d(mirror, jnp.ones_like(mirror)),
        rotate_2d(parameters.quarter_turns * (np.pi / 2)),
        translate_2d(-whole[:, 0], -whole[:, 1]),
        scale_2d(1 / parameters.scale, 1 / parameters.scale),
        rotate_2d(parameters.rotation_before),
        scale_2d(1 / parameters.stretch, parameters.stretch),
        rotate_2d(parameters.rotation_after),
        translate_2d(-fractional[:, 0], -fractional[:, 1]),
    )


def _doubled_mirrored(images: Array) -> Array:
    """One period of the endlessly mirrored images at twice the resolution, and one sample more.

    Returns:
        [N, 4 H - 3, 4 W - 3, C]; sample 0 is the first of the two that pixel 0 becomes.
    """
    _, height, width, _ = images.shape
    margins = ((0, 0), (REACH, height - 2 + REACH), (REACH, width - 2 + REACH), (0, 0))
    return upfirdn2d(jnp.pad(images, margins, mode="reflect"), lowpass_filter(), up=2, gain=4.0)


def _positions(matrix: Array, *, height: int, width: int) -> Array:
    """Where the samples of the doubled output, and 5 more on each side, lie in the doubled input.

    Args:
        matrix: [N, 3, 3], in pixels about the centre.
        height: Of the image.
        width: Of the image.

    Returns:
        [N, 2 H + 10, 2 W + 10, 2], (x, y), sample 0 being the first of the doubled input.
    """
    # The low-pass has an even number of taps, so that each doubling moves the image by half a
    # sample: offsets from the centre are whole numbers here.
    x = (np.arange(2 * width + 10, dtype=np.float32) - (width + 4))[None, None]
    y = (np.arange(2 * height + 10, dtype=np.float32) - (height + 4))[None, :, None]

    def mapped(row: int, size: int) -> Array:
        a, b, shift = (matrix[:, row, column, None, None] for column in range(3))
        return a * x + b * y + (2 * shift + (size - 1))

    return jnp.stack([mapped(0, width), mapped(1, height)], axis=-1)


def transform_geometry(images: Array, matrix: Array) -> Array:
    """Resamples images at mapped positions, mirrored endlessly at their borders.

    Both images are doubled in resolution by an orthogonal low-pass, and the input is interpolated
    linearly there. The original pads by reflection, at most once, as far as the farthest sample of
    the batch needs, and takes zeros beyond. A padding that depends on data has no static shape;
    mirrored endlessly the doubled image has a period of 4 (H - 1) x 4 (W - 1), of which one is
    stored and positions are taken modulo it. Samples then do not depend on each other. The results
    are the same where the original's padding suffices.

    Args:
        images: [N, H, W, C], H and W at least 2.
        matrix: [N, 3, 3], from output to input positions, in pixels about the centre.

    Returns:
        [N, H, W, C]; samples with the identity as matrix are unchanged.

    Source: arXiv:2006.06676, appendix B; stylegan2-ada-pytorch, training/augment.py.
    """
    _, height, width, _ = images.shape
    period = np.asarray([4 * (width - 1), 4 * (height - 1)], np.float32)[None, None, None]
    positions = jnp.mod(_positions(matrix, height=height, width=width), period)
    sampled = sample_inside(_doubled_mirrored(images), positions)
    moved = upfirdn2d(sampled, lowpass_filter(), down=2, flip_filter=True)
    changed = jnp.any(matrix != np.eye(3, dtype=np.float32)[None], axis=(1, 2))
    return _where_changed(changed, moved, images)


def color_matrix(parameters: Parameters, *, channels: int) -> Array:
    """From input colours (r, g, b, 1) to output colours.

    Args:
        parameters: Of N samples.
        channels: 3, or 1, for which hue and saturation are left out.

    Returns:
        [N, 4, 4].

    Source: stylegan2-ada-pytorch, training/augment.py (C).
    """
    light = product(
        along_luma(1 - 2 * parameters.luma_flip),
        multiply(parameters.contrast),
        brighten(parameters.brightness),
    )
    if channels == 1:
        return light
    return product(across_luma(parameters.saturation), rotate_hue(parameters.hue), light)


def transform_color(images: Array, matrix: Array) -> Array:
    """Applies an affine map of colours; grey images take the mean of its rows.

    Args:
        images: [N, H, W, C], C is 3 or 1.
        matrix: [N, 4, 4].

    Returns:
        [N, H, W, C].

    Raises:
        ShapeError: If C is neither 3 nor 1.

    Source: stylegan2-ada-pytorch, training/augment.py.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ShapeError(f"`images` have {channels} channels; colour transforms need 3 or 1")
    linear, shift = matrix[:, :3, :3], matrix[:, None, None, :3, 3]
    if channels == 1:
        factor = jnp.mean(jnp.sum(linear, axis=2), axis=1)[:, None, None, None]
        new = images * factor + jnp.mean(shift, axis=3, keepdims=True)
    else:
        precision = product_precision(images.dtype)
        new = jnp.einsum("nij,nhwj->nhwi", linear, images, precision=precision) + shift
    changed = jnp.any(matrix != np.eye(4, dtype=np.float32)[None], axis=(1, 2))
    return _where_changed(changed, new, images)


def band_gains(factors: Array) -> Array:
    """Gains of the frequency bands that keep the energy of a natural image.

    The bands are amplified one after the other, each time normalised:
    g <- g t / sqrt(sum_i e_i t_i^2), where t is 1 but in one band.

    Args:
        factors: [N, 4].

    Returns:
        [N, 4].

    Source: stylegan2-ada-pytorch, training/augment.py (imgfilter).
    """
    energy = jnp.asarray(_BAND_ENERGY)[None]
    norm = jnp.sqrt(1 + energy * (factors**2 - 1))  # [N, 4], one for each band's turn.
    return factors / jnp.prod(norm, axis=1, keepdims=True)


def _band_matrix(filters: Array, length: int) -> Array:
    """Correlation with [N, taps] as a product with [N, length, length + taps - 1]."""
    taps = filters.shape[1]
    tap = np.arange(length + taps - 1)[None] - np.arange(length)[:, None]
    inside = (tap >= 0) & (tap < taps)
    return jnp.where(inside[None], filters[:, np.clip(tap, 0, taps - 1)], 0)


def filter_bands(images: Array, factors: Array) -> Array:
    """Amplifies four frequency bands, mirrored at the borders.

    Each sample has a filter of its own, 43 taps along x and along y; it is applied as a matrix,
    which costs more products than the taps but lets the matrix unit make them.

    Args:
        images: [N, H, W, C].
        factors: [N, 4], lowest band first.

    Returns:
        [N, H, W, C].

    Source: arXiv:2006.06676, appendix B; stylegan2-ada-pytorch, training/augment.py.
    """
    _, height, width, _ = images.shape
    precision = product_precision(images.dtype)
    bank = filter_bank()
    filters = jnp.matmul(band_gains(factors), bank, precision=precision)  # [N, 43]
    margin = bank.shape[1] // 2
    x = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    x = jnp.einsum("nwj,nhjc->nhwc", _band_matrix(filters, width), x, precision=precision)
    x = jnp.einsum("nhi,niwc->nhwc", _band_matrix(filters, height), x, precision=precision)
    return _where_changed(jnp.any(factors != 1, axis=1), x, images)


def cut_out(images: Array, size: Array, center: Array) -> Array:
    """Sets a square to 0.

    Args:
        images: [N, H, W, C].
        size: [N], side of the square, fraction of the image.
        center: [N, 2], (x, y) of its centre, fractions of the image.

    Returns:
        [N, H, W, C].

    Source: stylegan2-ada-pytorch, training/augment.py (cutout).
    """
    _, height, width, _ = images.shape
    half = (size / 2)[:, None]

    def inside(axis: int, length: int) -> Array:
        pixels = ((np.arange(length, dtype=np.float32) + 0.5) / length)[None]
        return jnp.abs(pixels - center[:, axis, None]) < half

    cut = inside(1, height)[:, :, None] & inside(0, width)[:, None, :]
    return jnp.where(cut[..., None], jnp.zeros((), images.dtype), images)
