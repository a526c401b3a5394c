"""SqueezeNet 1.1 without its classifier: LPIPS's smallest trunk.

Source: SqueezeNet (arXiv:1602.07360), section 3; torchvision models/squeezenet.py, version 1.1.
"""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.nn.pooling import max_pool_over
from sfe_jax.nn.residual import Conv


class Fire(nn.Module):
    """1x1 convolution to few channels, then 1x1 and 3x3 side by side.

    Input [N, H, W, I], output [N, H, W, 2 expand].
    """

    squeeze: int  # Channels between.
    expand: int  # Output channels of each of the two.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the module to x [N, H, W, I]."""
        x = nn.relu(Conv(self.squeeze, kernel_size=1, use_bias=True, name="squeeze")(x))
        pointwise = Conv(self.expand, kernel_size=1, use_bias=True, name="expand1x1")(x)
        spatial = Conv(self.expand, kernel_size=3, use_bias=True, name="expand3x3")(x)
        return nn.relu(jnp.concatenate([pointwise, spatial], axis=-1))


FIRES = (
    ((16, 64), (16, 64)),
    ((32, 128), (32, 128)),
    ((48, 192), (48, 192), (64, 256), (64, 256)),
)
"""`squeeze` and `expand` of the modules behind each halving; their numbers begin at 2."""


class SqueezeNet(nn.Module):
    """Maps of SqueezeNet 1.1: relu1, fire3, fire5, fire6, fire7, fire8, fire9."""

    channels: ClassVar[tuple[int, ...]] = (64, 128, 256, 384, 384, 512, 512)

    @nn.compact
    def __call__(self, images: Array) -> list[Array]:
        """Reads pictures.

        Args:
            images: [N, H, W, 3], standardised as ImageNet's were; at least 17 pixels a side.

        Returns:
            Seven maps [N, h, w, C], not negative; of 256x256 pictures h = 127, 63, 31, then 15.
        """
        precision = product_precision(images.dtype)
        stem = nn.Conv(
            64,
            (3, 3),
            strides=2,
            padding="VALID",
            dtype=images.dtype,
            precision=precision,
            name="conv1",
        )
        x = nn.relu(stem(images))
        maps, number = [x], 2
        for fires in FIRES:
            x, passed = max_pool_over(x, 3), []
            for squeeze, expand in fires:
                x = Fire(squeeze, expand, name=f"fire{number}")(x)
                passed.append(x)
                number += 1
            maps += passed if fires is FIRES[-1] else passed[-1:]
        return maps
