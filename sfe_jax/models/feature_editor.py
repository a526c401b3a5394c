"""The network that merges two feature tensors: fuser of the Inverter, and Feature Editor.

Source: SFE (arXiv:2406.10601), sections 3.2 and 3.3; StyleFeatureEditor models/psp/encoders,
class ContentLayerDeepFast.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.nn.residual import Conv, ResidualUnit


class FeatureFuser(nn.Module):
    """A 1x1 convolution of both tensors, then residual units at the same resolution.

    The Inverter's fuser reads its predicted feature and the generator's; the Feature Editor reads
    the fused feature and the difference that an edit makes.
    """

    features: int = 512  # Channels of either input and of the output.
    num_units: int = 5  # Residual units.

    @nn.compact
    def __call__(self, first: Array, second: Array, *, train: bool = False) -> Array:
        """Merges two tensors.

        Args:
            first: [N, H, W, features]; fuser: the predicted feature; editor: the fused feature.
            second: [N, H, W, features]; fuser: the generator's feature; editor: the difference.
            train: Whether to normalise by the batch.

        Returns:
            [N, H, W, features].
        """
        check_shape("second", second.shape, first.shape)
        x = jnp.concatenate([first, second], axis=-1)
        x = Conv(self.features, kernel_size=1, use_bias=True, name="conv")(x)
        for index in range(self.num_units):
            x = ResidualUnit(self.features, name=f"unit{index}")(x, train=train)
        return x


def linear_start(params: Any, *, first: float, second: float) -> dict[str, Any]:
    """Parameters of a `FeatureFuser` that computes first * x + second * y, ready to learn more.

    The 1x1 convolution adds, and the last norm of every unit's branch begins at zero. Not in the
    paper: a short training need not spend itself on passing the feature on.

    Args:
        params: Its random parameters, nested dicts.
        first: Factor of the first tensor.
        second: Factor of the second tensor.
    """
    bias = params["conv"]["bias"]
    identity = jnp.eye(bias.size, dtype=bias.dtype)
    added = jnp.concatenate([first * identity, second * identity])[None, None]
    start = {**params, "conv": {"kernel": added, "bias": jnp.zeros_like(bias)}}
    for name in (x for x in params if x.startswith("unit")):
        branch = params[name]["branch"]
        norm = {**branch["norm3"], "scale": jnp.zeros_like(branch["norm3"]["scale"])}
        start[name] = {**params[name], "branch": {**branch, "norm3": norm}}
    return start
