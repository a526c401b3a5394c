"""Losses of the game between a generator and a discriminator, and their regularisers.

Source: GAN (arXiv:1406.2661), section 3; R1 (arXiv:1801.04406), equation 9; StyleGAN2
(arXiv:1912.04958), section 3.2.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from sfe_jax.core.types import Array


def generator_loss(fake_logits: Array) -> Array:
    """Non-saturating loss of whoever made the fakes: mean softplus(-D(fake)).

    Args:
        fake_logits: Of any shape.

    Returns:
        [], float32.
    """
    return jnp.mean(jax.nn.softplus(-fake_logits))


def discriminator_loss(real_logits: Array, fake_logits: Array) -> Array:
    """Loss of the discriminator: mean softplus(-D(real)) + mean softplus(D(fake)).

    Args:
        real_logits: Of any shape.
        fake_logits: Of any shape.

    Returns:
        [], float32.
    """
    return jnp.mean(jax.nn.softplus(-real_logits)) + jnp.mean(jax.nn.softplus(fake_logits))


def r1_penalty(judge: Callable[[Array], Array], real: Array) -> tuple[Array, Array]:
    """Squared slope of the discriminator at real samples.

        |d sum D(x) / d x|^2, summed over the axes of a sample

    Times gamma / 2 it is the regulariser of the papers.

    Args:
        judge: From samples [N, ...] to logits [N, 1]; augmentation belongs inside.
        real: [N, ...], samples as they are in the data.

    Returns:
        [N] penalties, and the logits [N, 1].

    Source: R1 (arXiv:1801.04406), equation 9; stylegan2-ada-pytorch, training/loss.py.
    """

    def total(samples: Array) -> tuple[Array, Array]:
        logits = judge(samples)
        return jnp.sum(logits), logits

    slope, logits = jax.grad(total, has_aux=True)(real)
    return jnp.sum(jnp.square(slope), axis=range(1, slope.ndim)), logits


def path_lengths_along(
    synthesize: Callable[[Array], Array], ws: Array, draw: Callable[[Array], Array]
) -> Array:
    """`path_lengths` in given directions of picture space.

    Args:
        synthesize: From codes [N, L, W] to pictures [N, H, W, C].
        ws: [N, L, W].
        draw: From pictures to directions y of their shape, of which it takes no slope.

    Returns:
        [N] lengths.
    """

    def projected(codes: Array) -> Array:
        images = synthesize(codes)
        return jnp.sum(images * draw(images)) / math.sqrt(images.shape[1] * images.shape[2])

    slope = jax.grad(projected)(ws)
    return jnp.sqrt(jnp.mean(jnp.sum(jnp.square(slope), axis=2), axis=1))


def path_lengths(synthesize: Callable[[Array], Array], ws: Array, key: Array) -> Array:
    """How far a picture moves per step of W+, in one random direction of picture space.

        |J^T y| = sqrt(mean over rows of sum over W of (d sum(image y) / d ws)^2),
        y ~ N(0, 1) / sqrt(H W)

    Args:
        synthesize: From codes [N, L, W] to pictures [N, H, W, C].
        ws: [N, L, W].
        key: Of y.

    Returns:
        [N] lengths.

    Source: StyleGAN2 (arXiv:1912.04958), section 3.2; stylegan2-ada-pytorch, training/loss.py.
    """
    return path_lengths_along(
        synthesize, ws, lambda images: jax.random.normal(key, images.shape, images.dtype)
    )


def path_length_penalty(lengths: Array, mean: Array, *, decay: float = 0.01) -> tuple[Array, Array]:
    """Deviation of path lengths from their moving mean.

        m = mean + decay (mean of lengths - mean),    penalty = mean (lengths - m)^2

    The slope flows through m too, as in the original.

    Args:
        lengths: [N], from `path_lengths`.
        mean: [], moving mean before; 0 at the start.
        decay: Share of the new lengths.

    Returns:
        [] penalty and [] moving mean after, without a slope.

    Source: StyleGAN2 (arXiv:1912.04958), section 3.2; stylegan2-ada-pytorch, training/loss.py.
    """
    moved = mean + decay * (jnp.mean(lengths) - mean)
    return jnp.mean(jnp.square(lengths - moved)), jax.lax.stop_gradient(moved)
