"""Adaptive discriminator augmentation: the pipeline, and the rule that sets its probability.

The pipeline is differentiable twice with respect to the images, so that R1 flows through it, and
its shapes are static. `p` is a traced scalar: as it adapts nothing is compiled again.

Source: Training GANs with Limited Data (arXiv:2006.06676); stylegan2-ada-pytorch,
training/augment.py and training/training_loop.py.
"""

from typing import NamedTuple

import jax.numpy as jnp

from sfe_jax.augment.parameters import Parameters, draw_parameters
from sfe_jax.augment.pipeline import Pipeline
from sfe_jax.augment.stages import (
    color_matrix,
    cut_out,
    filter_bands,
    geometric_matrix,
    transform_color,
    transform_geometry,
)
from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array

ADJUSTMENT_INTERVAL = 4
"""Steps between two adjustments of `p`."""


def apply_augmentation(images: Array, parameters: Parameters, *, pipeline: Pipeline) -> Array:
    """Applies the stages that a pipeline has.

    Args:
        images: [N, H, W, C], float32 in [-1, 1], C is 3 or 1 if colours are transformed.
        parameters: Of N samples, from `draw_parameters`.
        pipeline: Says which stages are there at all.

    Returns:
        [N, H, W, C], not clipped. Samples whose parameters are neutral are unchanged, bit for bit.

    Raises:
        ShapeError: If `images` has another rank, or a number of channels whose colours cannot be
            transformed.

    Source: arXiv:2006.06676, appendix B; stylegan2-ada-pytorch, training/augment.py.
    """
    check_shape("images", images.shape, (None, None, None, None))
    _, height, width, channels = images.shape

    if pipeline.has_geometry:
        matrix = geometric_matrix(parameters, height=height, width=width)
        images = transform_geometry(images, matrix)

    if pipeline.has_color:
        images = transform_color(images, color_matrix(parameters, channels=channels))

    if pipeline.imgfilter:
        images = filter_bands(images, parameters.bands)

    if parameters.noise is not None:
        images = images + parameters.noise.astype(images.dtype)

    if pipeline.cutout:
        images = cut_out(images, parameters.cutout_size, parameters.cutout_center)

    return images


def augment(key: Array, images: Array, p: Array | float, *, pipeline: Pipeline) -> Array:
    """Augments images as the discriminator is to see them, real and generated alike.

    Args:
        key: Random key.
        images: [N, H, W, C], float32 in [-1, 1].
        p: [], probability of each transform whose multiplier is 1; above 1 counts as 1.
        pipeline: Which transforms there are.

    Returns:
        [N, H, W, C], not clipped; `images` bit for bit where `p` is 0.

    Raises:
        ShapeError: As `apply_augmentation`.
    """
    check_shape("images", images.shape, (None, None, None, None))
    parameters = draw_parameters(key, p, shape=images.shape, pipeline=pipeline)
    return apply_augmentation(images, parameters, pipeline=pipeline)


class AdaState(NamedTuple):
    """The probability and what has been seen since it was last adjusted."""

    p: Array  # [], at least 0. It has no upper bound: above 1 it takes longer to come back.
    sign_sum: Array  # [], sum of the signs of the discriminator's logits of real images.
    count: Array  # [], number of these logits.


def init_ada(p: float = 0.0) -> AdaState:
    """The state before the first step; without adjustments `p` stays fixed."""
    zero = jnp.zeros([], jnp.float32)
    return AdaState(jnp.asarray(p, jnp.float32), zero, zero)


def observe_logits(state: AdaState, real_logits: Array) -> AdaState:
    """Counts the signs of the logits of real images.

    Args:
        state: Before.
        real_logits: Of any shape, from a pass of the discriminator over augmented real images;
            the passes of its regularisation count too.

    Returns:
        The state with the same `p`.

    Source: stylegan2-ada-pytorch, training/loss.py (Loss/signs/real).
    """
    signs = jnp.sum(jnp.sign(real_logits).astype(jnp.float32))
    return AdaState(state.p, state.sign_sum + signs, state.count + real_logits.size)


def adjust_p(
    state: AdaState, *, images: int, target: float = 0.6, speed: float = 500_000.0
) -> AdaState:
    """Raises `p` when the discriminator overfits, lowers it when it does not.

        p <- max(p + sign(r_t - target) images / speed, 0),    r_t = mean sign D(real)

    Args:
        state: With the signs since the last adjustment; without any, `p` stays.
        images: Real images since the last adjustment: the batch times `ADJUSTMENT_INTERVAL`.
        target: Of r_t, in [-1, 1].
        speed: Images in which `p` can rise from 0 to 1; 100,000 after a transfer.

    Returns:
        The state with new `p` and nothing seen yet.

    Source: arXiv:2006.06676, section 3.2; stylegan2-ada-pytorch, training/training_loop.py.
    """
    overfitting = state.sign_sum / jnp.maximum(state.count, 1)
    step = jnp.where(state.count > 0, jnp.sign(overfitting - target), 0) * (images / speed)
    return init_ada()._replace(p=jnp.maximum(state.p + step, 0))
