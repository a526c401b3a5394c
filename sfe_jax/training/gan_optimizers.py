"""Optimisers of generator and discriminator: lazy Adam, and layers that stay as they are."""

import re
from typing import Any

import optax

from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.models.discriminator import Discriminator


def lazy_adam(learning_rate: float, interval: int) -> optax.GradientTransformation:
    """Adam of StyleGAN2, corrected for a regulariser that runs every `interval` steps.

        c = interval / (interval + 1),    lr <- c lr,    b2 <- 0.99^c,    b1 = 0

    Args:
        learning_rate: Before the correction.
        interval: Steps; 0 for no lazy regulariser and no correction.

    Returns:
        The optimiser.

    Source: StyleGAN2 (arXiv:1912.04958), appendix B.
    """
    share = interval / (interval + 1) if interval else 1.0
    return optax.adam(learning_rate * share, b1=0.0, b2=0.99**share, eps=1e-8)


def first_layers(module: Discriminator, count: int) -> list[str]:
    """Paths of the first `count` layers of a discriminator, from the picture on.

    Source: FreezeD (arXiv:2002.10964); stylegan2-ada-pytorch, DiscriminatorBlock.trainable_iter.
    """
    layers = []
    for level in range(len(module.channels) - 1, 0, -1):
        block = f"b{4 << level}"
        if level == len(module.channels) - 1 or module.architecture == "skip":
            layers.append(f"{block}_fromrgb")
        layers += [f"{block}/conv0", f"{block}/conv1"]
        if module.architecture == "resnet":
            layers.append(f"{block}/skip")
    return layers[:count]


def freeze(paths: list[str]) -> optax.GradientTransformation:
    """Sets the updates of the parameters under `paths` to zero."""

    def mask(params: Any) -> Any:
        flat = flatten(params)
        inside = {name: any(re.match(f"{path}/", name) for path in paths) for name in flat}
        return unflatten(inside)

    return optax.masked(optax.set_to_zero(), mask)
