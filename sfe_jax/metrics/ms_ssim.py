"""Structural similarity, at one scale and at several.

Both want black to be 0, since they compare means by their ratio: pictures in [-1, 1] are read as
levels in [0, 1], which makes white the data range of the papers, 1.

Source: SSIM (Wang et al., 2004), section III; MS-SSIM (Wang et al., 2003), section 3. Odd sizes are
halved, and pictures averaged, as in piq 0.8, with which SFE's table was made.
"""

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array
from sfe_jax.ops.resize import adaptive_average_pool
from sfe_jax.ops.upfirdn2d import upfirdn2d

WINDOW = 11
"""Taps a side of the Gaussian window; SSIM, section III.C."""

SIGMA = 1.5
"""Standard deviation of the window in pixels; SSIM, section III.C."""

K1, K2 = 0.01, 0.03
"""Stabilise dark and flat regions, as shares of white; SSIM, section III.C."""

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales from fine to coarse; MS-SSIM, section 3.2. They sum to 1.0001."""


def gaussian_window() -> np.ndarray:
    """The window along one axis, [11] of sum 1."""
    positions = np.arange(WINDOW) - (WINDOW - 1) / 2
    window = np.exp(-np.square(positions) / (2 * SIGMA**2))
    return (window / window.sum()).astype(np.float32)


def similarity_and_structure(images: Array, target: Array) -> tuple[Array, Array]:
    """Means over all windows that lie within the picture, channel by channel.

        x, y       = (images + 1) / 2, (target + 1) / 2
        structure  = (2 s_xy + c2) / (s_x^2 + s_y^2 + c2)
        similarity = (2 m_x m_y + c1) / (m_x^2 + m_y^2 + c1) * structure

    Args:
        images: [N, H, W, C] in [-1, 1], at least 11 pixels a side.
        target: Of the same shape.

    Returns:
        Similarity and structure, each [N, C].

    Raises:
        ShapeError: If the shapes differ or the pictures are too small.

    Source: SSIM, equations 6 and 13.
    """
    check_shape("images", images.shape, (None, None, None, None))
    check_shape("target", target.shape, images.shape)
    if min(images.shape[1:3]) < WINDOW:
        raise ShapeError(
            f"pictures are {images.shape[1]} x {images.shape[2]}; required are {WINDOW} pixels a "
            "side, the window of SSIM"
        )
    c1, c2 = K1**2, K2**2

    # Moments, about mid-grey, where those of second order lose fewest digits.
    x, y = images / 2, target / 2
    stacked = jnp.concatenate([x, y, x * x, y * y, x * y], axis=-1)
    moments = upfirdn2d(stacked, gaussian_window())
    mean_x, mean_y, xx, yy, xy = jnp.split(moments, 5, axis=-1)
    variances, covariance = xx + yy - mean_x**2 - mean_y**2, xy - mean_x * mean_y

    # Similarity.
    level_x, level_y = mean_x + 0.5, mean_y + 0.5
    structure = (2 * covariance + c2) / (variances + c2)
    similarity = (2 * level_x * level_y + c1) / (level_x**2 + level_y**2 + c1) * structure
    return jnp.mean(similarity, axis=(1, 2)), jnp.mean(structure, axis=(1, 2))


def ssim(images: Array, target: Array) -> Array:
    """Structural similarity at one scale.

    Args:
        images: [N, H, W, C] in [-1, 1], at least 11 pixels a side.
        target: Of the same shape.

    Returns:
        [N], the mean over channels; 1 for equal pictures.

    Raises:
        ShapeError: If the shapes differ or the pictures are too small.

    Source: SSIM, section III.
    """
    return jnp.mean(similarity_and_structure(images, target)[0], axis=1)


def halve(images: Array) -> Array:
    """Means of 2x2 cells of pictures [N, H, W, C].

    Where a side is odd, the first row and the first column are repeated, both as in piq: an even
    side beside it then loses its last line.
    """
    height, width = images.shape[1:3]
    odd = max(height % 2, width % 2)
    padded = jnp.pad(images, ((0, 0), (odd, 0), (odd, 0), (0, 0)), mode="edge")
    rows, columns = (height + odd) // 2, (width + odd) // 2
    return adaptive_average_pool(padded[:, : 2 * rows, : 2 * columns], (rows, columns))


def count_scales(side: int) -> int:
    """Scales of MS-SSIM whose pictures hold a window: 5 from 161 pixels a side, 3 at 64."""
    count = 0
    while count < len(WEIGHTS) and side >= WINDOW:
        count, side = count + 1, -(-side // 2)
    return count


def similarity_of_scales(images: Array, target: Array) -> tuple[Array, Array]:
    """`similarity_and_structure` at every scale that fits, from fine to coarse.

    Args:
        images: [N, H, W, C] in [-1, 1], at least 11 pixels a side.
        target: Of the same shape.

    Returns:
        Similarity and structure, each [N, S, C].

    Raises:
        ShapeError: If the shapes differ or the pictures are too small.
    """
    scales = []
    for index in range(max(1, count_scales(min(images.shape[1:3])))):
        if index:
            images, target = halve(images), halve(target)
        scales.append(similarity_and_structure(images, target))
    similarity, structure = zip(*scales, strict=True)
    return jnp.stack(similarity, axis=1), jnp.stack(structure, axis=1)


def ms_ssim(images: Array, target: Array) -> Array:
    """Structural similarity at up to five scales.

        prod_{s < S} structure_s^w_s * similarity_S^w_S

    Pictures below 161 pixels a side have fewer than five scales; the weights of those that fit are
    scaled to the sum of all five. Such values compare with others of the same size alone: at 64
    pixels there are three scales. Negative terms count as 0.

    Args:
        images: [N, H, W, C] in [-1, 1], at least 11 pixels a side.
        target: Of the same shape.

    Returns:
        [N], the mean over channels; 1 for equal pictures.

    Raises:
        ShapeError: If the shapes differ or the pictures are too small.

    Source: MS-SSIM, equation 7; piq.multi_scale_ssim.
    """
    similarity, structure = similarity_of_scales(images, target)
    terms = jnp.concatenate([structure[:, :-1], similarity[:, -1:]], axis=1)
    weights = np.asarray(WEIGHTS[: terms.shape[1]])
    weights = jnp.asarray(weights * (sum(WEIGHTS) / weights.sum()), terms.dtype)
    powers = jnp.maximum(terms, 0) ** weights[None, :, None]
    return jnp.mean(jnp.prod(powers, axis=1), axis=1)
