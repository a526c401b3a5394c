"""The network that merges two feature tensors: fuser of the Inverter, and Feature Editor.

Source: SFE (arXiv:2406.10601), sections 3.2 and 3.3; StyleFeatureEditor models/psp/encoders,
class ContentLayerDeepFast.
"""

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
