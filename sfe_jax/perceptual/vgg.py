"""VGG-16 without its classifier: what LPIPS sees where it serves as a loss.

Source: VGG (arXiv:1409.1556), configuration D; torchvision models/vgg.py.
"""

from typing import ClassVar

import flax.linen as nn

from sfe_jax.core.types import Array
from sfe_jax.nn.residual import Conv

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each block; the resolution halves between blocks."""


class Vgg16(nn.Module):
    """Maps of VGG-16 after the last ReLU of each block: relu1_2 to relu5_3."""

    channels: ClassVar[tuple[int, ...]] = tuple(features for features, _ in BLOCKS)

    @nn.compact
    def __call__(self, images: Array) -> list[Array]:
        """Reads pictures.

        Args:
            images: [N, H, W, 3], standardised as ImageNet's were; at least 16 pixels a side.

        Returns:
            Five maps [N, H / 2^i, W / 2^i, C], sizes rounded down, not negative.
        """
        x, maps = images, []
        for block, (features, depth) in enumerate(BLOCKS, start=1):
            if block > 1:
                x = nn.max_pool(x, (2, 2), strides=(2, 2))
            for index in range(1, depth + 1):
                x = nn.relu(Conv(features, use_bias=True, name=f"conv{block}_{index}")(x))
            maps.append(x)
        return maps
