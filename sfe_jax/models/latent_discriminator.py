"""The latent discriminator of e4e: does a code look like one of the mapping network?

Source: e4e (arXiv:2102.02766), section 4.2; encoder4editing models/discriminator.py.
"""

import flax.linen as nn

from sfe_jax.core.types import Array
from sfe_jax.nn.residual import Dense
from sfe_jax.ops.bias_act import bias_act


class LatentDiscriminator(nn.Module):
    """Dense layers with leaky ReLU (slope 0.2) on single codes of W."""

    features: int = 512  # Width of the hidden layers.
    num_layers: int = 4  # Dense layers, the last to one logit.

    @nn.compact
    def __call__(self, w: Array) -> Array:
        """Judges codes: w [N, W] -> logits [N, 1]."""
        x = w
        for index in range(self.num_layers - 1):
            x = Dense(self.features, name=f"dense{index}")(x)
            x = bias_act(x, activation="lrelu", gain=1.0)
        return Dense(1, name=f"dense{self.num_layers - 1}")(x)
