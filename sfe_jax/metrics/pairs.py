"""What is measured of a picture and its target, pixel by pixel.

LPIPS is `perceptual.lpips.Lpips`, identity `perceptual.arcface.identity_similarity`, structure
`ms_ssim`. All give one number per picture, which `rows.Rows` collects.
"""

import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array


def squared_error(images: Array, target: Array) -> Array:
    """Mean squared error of each picture, the "L2" of the tables.

    Args:
        images: [N, H, W, C] in [-1, 1]; SFE resizes to 256x256 with Pillow first.
        target: Of the same shape.

    Returns:
        [N].

    Raises:
        ShapeError: If the shapes differ.

    Source: SFE (arXiv:2406.10601), section 4.1; StyleFeatureEditor metrics/metrics.py.
    """
    check_shape("images", images.shape, (None, None, None, None))
    check_shape("target", target.shape, images.shape)
    return jnp.mean(jnp.square(images - target), axis=(1, 2, 3))
