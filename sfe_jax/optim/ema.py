"""Exponential moving average of a network's variables, with durations in images.

    decay = 0.5^(batch / max(n, 1e-8)),    n = min(half_life, ramp_up * images seen)

Source: stylegan2-ada-pytorch, training/training_loop.py.
"""

import jax
import jax.numpy as jnp

from sfe_jax.core.errors import WeightsError
from sfe_jax.core.types import Array, Variables


def ema_decay(
    batch_size: int, images_seen: Array | int, *, half_life: float, ramp_up: float | None
) -> Array:
    """Weight of the old average in one step.

    Args:
        batch_size: Images of this step, over all devices.
        images_seen: [], images before this step; 0 makes the average a copy when there is a ramp.
        half_life: Images after which a parameter's share has halved; 10,000 in StyleGAN2.
        ramp_up: Limits the half-life to this fraction of the images seen, 0.05 in StyleGAN2-ADA's
            automatic configuration. None = no ramp.

    Returns:
        [], float32 in [0, 1).

    Source: stylegan2-ada-pytorch, training/training_loop.py (ema_kimg, ema_rampup).
    """
    images = jnp.asarray(half_life, jnp.float32)
    if ramp_up is not None:
        images = jnp.minimum(images, ramp_up * jnp.asarray(images_seen, jnp.float32))
    return jnp.exp2(-batch_size / jnp.maximum(images, 1e-8))


def update_ema(average: Variables, new: Variables, decay: Array | float) -> Variables:
    """Moves the averaged parameters towards the new ones, and copies everything else.

    Args:
        average: Variables of the averaged network: collection -> nested dict.
        new: Variables of the network in training, of the same structure.
        decay: [], weight of the old average, from `ema_decay`.

    Returns:
        `decay * average + (1 - decay) * new` in the collection "params", each leaf in its own
        dtype; the other collections (mean of w, fixed noise) as they are in `new`.

    Raises:
        WeightsError: If the two have other collections, or none called "params".

    Source: stylegan2-ada-pytorch, training/training_loop.py ("Update G_ema").
    """
    if set(average) != set(new) or "params" not in new:
        raise WeightsError(
            f"`average` has the collections {sorted(average)} and `new` {sorted(new)}; "
            "required are the same ones, with 'params' among them"
        )

    def interpolate(old: Array, new: Array) -> Array:
        return new + jnp.asarray(decay, new.dtype) * (old - new)

    return {**new, "params": jax.tree.map(interpolate, average["params"], new["params"])}
