"""ResNet-50 as MoCo v2 trained it without labels: what identity is where pictures show no faces.

Source: ResNet (arXiv:1512.03385), table 1; torchvision models/resnet.py (the stride stands on the
3x3 convolution); MoCo v2 (arXiv:2003.04297); pixel2style2pixel criteria/moco_loss.py.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.nn.residual import BatchNorm, Conv
from sfe_jax.ops.resize import resize_nearest

EXPANSION = 4
"""Output channels of a unit over the channels inside it."""


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut: [N, H, W, I] to [N, h, w, 4 features]."""

    features: int  # Channels inside.
    stride: int = 1  # Of the 3x3 convolution and of the shortcut.
    project: bool = False  # Whether the shortcut is a convolution.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the unit to x [N, H, W, I]."""
        norm = partial(BatchNorm, use_running_average=True, dtype=x.dtype)
        outputs = EXPANSION * self.features

        # Shortcut.
        shortcut = x
        if self.project:
            conv = Conv(outputs, kernel_size=1, stride=self.stride, name="shortcut_conv")
            shortcut = norm(name="shortcut_norm")(conv(x))

        # Branch.
        y = Conv(self.features, kernel_size=1, name="conv1")(x)
        y = nn.relu(norm(name="norm1")(y))
        y = Conv(self.features, stride=self.stride, name="conv2")(y)
        y = nn.relu(norm(name="norm2")(y))
        y = Conv(outputs, kernel_size=1, name="conv3")(y)
        return nn.relu(shortcut + norm(name="norm3")(y))


class MocoResNet(nn.Module):
    """Embeds pictures on the unit sphere, where pictures of one thing lie near each other."""

    depths: tuple[int, ...] = (3, 4, 6, 3)  # Units per stage.
    widths: tuple[int, ...] = (64, 128, 256, 512)  # Channels inside the units of each stage.
    input_size: int = 224  # Pixels a side that the first layer reads.

    @nn.compact
    def __call__(self, images: Array) -> Array:
        """Embeds pictures.

        Args:
            images: [N, H, W, 3] in [-1, 1], without ImageNet's mean and deviation. They are resized
                to their nearest pixels, squashed where they are not square, as pSp does.

        Returns:
            [N, 4 * last width], of unit length.

        Raises:
            ShapeError: If the pictures are not of such a shape.
        """
        check_shape("images", images.shape, (None, None, None, 3))
        x = resize_nearest(images, self.input_size)

        # Stem.
        x = Conv(self.widths[0], kernel_size=7, stride=2, name="conv")(x)
        norm = BatchNorm(use_running_average=True, dtype=x.dtype, name="norm")
        around: Any = [(1, 1), (1, 1)]  # Flax's annotation is narrower.
        x = nn.max_pool(nn.relu(norm(x)), (3, 3), strides=(2, 2), padding=around)

        # Stages.
        for stage, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True)):
            for index in range(depth):
                x = Bottleneck(
                    width,
                    stride=2 if stage and not index else 1,
                    project=not index,
                    name=f"stage{stage}_unit{index}",
                )(x)
        x = jnp.mean(x, axis=(1, 2))

        # PyTorch's normalize: a length below 1e-12 counts as 1e-12.
        squares = jnp.sum(jnp.square(x), axis=1, keepdims=True)
        return x / jnp.sqrt(jnp.maximum(squares, 1e-24))
