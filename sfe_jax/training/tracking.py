"""What a generator follows while it trains: its average code, and StyleGAN3's magnitudes."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.models.generator import StyleGenerator
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator


def synthesize_tracking(
    generator: StyleGenerator,
    variables: Variables,
    ws: Array,
    key: Array,
    *,
    w_decay: float | Array,
    magnitude_decay: float | Array,
) -> tuple[Array, Variables]:
    """Synthesises pictures with fresh noise, and moves what the generator follows.

    Args:
        generator: Of StyleGAN2 or StyleGAN3.
        variables: Its variables.
        ws: [N, L, W], untruncated codes of the mapping network.
        key: Of the noise; StyleGAN3 has none.
        w_decay: Weight of the old average code.
        magnitude_decay: Weight of the old mean squares of the layers' inputs, which are moved
            before they are used. StyleGAN2 has none.

    Returns:
        Pictures [N, R, R, C], and the buffers after.

    Source: stylegan3, training/networks_stylegan2.py and networks_stylegan3.py (update_emas).
    """
    options: dict[str, Any] = {"noise_mode": "random", "rngs": {"noise": key}}
    if isinstance(generator, AliasFreeGenerator):
        options["magnitude_decay"] = magnitude_decay
    output, moved = apply(
        generator, variables, ws, mutable=["buffers"], method="synthesize", **options
    )
    mean = jnp.mean(lax.stop_gradient(ws[:, 0]), axis=0)
    w_avg = mean + w_decay * (variables["buffers"]["mapping"]["w_avg"] - mean)
    return output["image"], {**moved["buffers"], "mapping": {"w_avg": w_avg}}
