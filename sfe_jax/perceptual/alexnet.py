"""AlexNet without its classifier: what LPIPS sees where it serves as a metric.

Source: One weird trick (arXiv:1404.5997); torchvision models/alexnet.py.
"""

from typing import ClassVar

import flax.linen as nn

from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.nn.residual import Conv


class AlexNet(nn.Module):
    """Maps of AlexNet after each ReLU: relu1 to relu5."""

    channels: ClassVar[tuple[int, ...]] = (64, 192, 384, 256, 256)

    @nn.compact
    def __call__(self, images: Array) -> list[Array]:
        """Reads pictures.

        Args:
            images: [N, H, W, 3], standardised as ImageNet's were; at least 31 pixels a side.

        Returns:
            Five maps [N, h, w, C], not negative; of 256x256 pictures h = 63, 31, 15, 15, 15.
        """
        precision = product_precision(images.dtype)
        stem = nn.Conv(
            64,
            (11, 11),
            strides=4,
            padding=2,
            dtype=images.dtype,
            precision=precision,
            name="conv1",
        )
        maps = [nn.relu(stem(images))]
        for index, features in enumerate(self.channels[1:], start=2):
            x = maps[-1]
            if index < 4:
                x = nn.max_pool(x, (3, 3), strides=(2, 2))
            size = 5 if index == 2 else 3
            conv = Conv(features, kernel_size=size, use_bias=True, name=f"conv{index}")
            maps.append(nn.relu(conv(x)))
        return maps
