"""Gaussian blur whose width may change from step to step of one compiled program.

Each axis is multiplied by a band matrix, which keeps all shapes static, and whose derivatives of
any order are such products again.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.types import Array

REACH = 3.0
"""Where the filter ends, in sigmas."""


def gaussian_band(size: int, sigma: Array, *, largest: float) -> Array:
    """The matrix that blurs an axis, with zeros outside.

        weight of a neighbour k samples away ~ 2^(-(k / sigma)^2),    |k| <= floor(3 sigma)

    The weights have the sum 1. The base is 2 as in the original, so that a standard deviation is
    0.85 sigma.

    Args:
        size: Length of the axis.
        sigma: [], in samples, from 0 to `largest`; below 1/3 the matrix is the identity.
        largest: The greatest `sigma`; static, since it decides the length of the filter.

    Returns:
        [size, size], float32, symmetric; rows near the edges have sums below 1.

    Source: stylegan3, training/loss.py (run_D).
    """
    distance = np.arange(int(REACH * largest) + 1, dtype=np.float32)
    powers = jnp.square(distance / jnp.maximum(sigma, 1 / REACH))
    weights = jnp.where(distance <= jnp.floor(REACH * sigma), jnp.exp2(-powers), 0.0)
    weights = weights / (2 * jnp.sum(weights) - weights[0])
    apart = np.abs(np.arange(size)[:, None] - np.arange(size)[None])
    return jnp.append(weights, 0.0)[np.minimum(apart, len(distance))]


def gaussian_blur(images: Array, sigma: Array, *, largest: float) -> Array:
    """Blurs pictures, with zeros outside; costs nothing where `sigma` is below 1/3.

    Args:
        images: [N, H, W, C], float32.
        sigma: [], in pixels, from 0 to `largest`; may be traced.
        largest: The greatest `sigma`; static.

    Returns:
        [N, H, W, C].

    Source: StyleGAN3 (arXiv:2106.12423), appendix D; stylegan3, training/loss.py (run_D).
    """

    def blurred(images: Array) -> Array:
        rows, columns = (gaussian_band(n, sigma, largest=largest) for n in images.shape[1:3])
        images = jnp.einsum("ih,nhwc->niwc", rows, images, precision=lax.Precision.HIGHEST)
        return jnp.einsum("jw,niwc->nijc", columns, images, precision=lax.Precision.HIGHEST)

    return lax.cond(REACH * sigma >= 1, blurred, lambda images: images, images)
