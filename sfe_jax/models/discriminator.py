"""The StyleGAN2 discriminator: residual, skip and plain; conditional by projection.

Source: StyleGAN2 (arXiv:1912.04958); stylegan2-ada-pytorch training/networks.py.
"""

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.types import Array
from sfe_jax.models.layer_table import FFHQ_CHANNELS, Architecture, resolutions
from sfe_jax.models.mapping import Mapping
from sfe_jax.nn.equalized import EqualizedConv, EqualizedDense
from sfe_jax.ops.convolution import RESAMPLE_FILTER
from sfe_jax.ops.minibatch_std import minibatch_std
from sfe_jax.ops.upfirdn2d import downsample2d


class FromRGB(nn.Module):
    """1x1 convolution from colours to features. Output [N, r, r, features]."""

    features: int  # Output channels.
    clamp: float | None = None  # Bound of the outputs. None = no bound.

    @nn.compact
    def __call__(self, image: Array) -> Array:
        """Applies the layer to a picture [N, r, r, 3]."""
        conv = EqualizedConv(self.features, kernel_size=1, clamp=self.clamp, name="conv")
        return conv(image)


class DiscriminatorBlock(nn.Module):
    """Two convolutions, the second halving the resolution, and a shortcut if residual.

    Input [N, r, r, C], output [N, r/2, r/2, features].
    """

    features: int  # Output channels.
    residual: bool  # Whether there is a shortcut.
    clamp: float | None = None  # Bound of the convolutions' outputs. None = no bound.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the block to x [N, r, r, C]."""
        gain = math.sqrt(0.5) if self.residual else 1.0
        y = EqualizedConv(x.shape[-1], clamp=self.clamp, name="conv0")(x)
        y = EqualizedConv(
            self.features, resample="down", clamp=self.clamp, gain=gain, name="conv1"
        )(y)
        if not self.residual:
            return y
        skip = EqualizedConv(
            self.features,
            kernel_size=1,
            resample="down",
            use_bias=False,
            activation="linear",
            gain=gain,
            name="skip",
        )
        return skip(x) + y


class DiscriminatorEpilogue(nn.Module):
    """Minibatch standard deviation, a convolution and two dense layers at 4x4.

    Input [N, 4, 4, C], output [N, features].
    """

    features: int  # Outputs: 1, or the size of the embedded label.
    group_size: int | None  # Pictures compared with each other; None for the whole batch.
    num_std_channels: int  # Channels of statistics; 0 for none.
    neighbours: bool  # Whether groups are of neighbours.
    clamp: float | None = None  # Bound of the convolution's outputs. None = no bound.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layers to x [N, 4, 4, C]."""
        channels = x.shape[-1]
        if self.num_std_channels:
            x = minibatch_std(
                x,
                group_size=self.group_size,
                num_channels=self.num_std_channels,
                neighbours=self.neighbours,
            )
        x = EqualizedConv(channels, clamp=self.clamp, name="conv")(x)
        x = x.reshape(x.shape[0], -1)  # Order H, W, C; the converter permutes C, H, W.
        x = EqualizedDense(channels, activation="lrelu", name="dense")(x)
        return EqualizedDense(self.features, name="out")(x)


class Discriminator(nn.Module):
    """From pictures, and labels if conditional, to logits of being real."""

    channels: tuple[int, ...] = FFHQ_CHANNELS  # At 4, 8, ..., the resolution.
    c_dim: int = 0  # Size of the label; 0 for none.
    image_channels: int = 3  # Channels of the picture.
    architecture: Architecture = "resnet"  # How pictures enter.
    cmap_dim: int | None = None  # Size of the embedded label; None is the channels at 4.
    mapping_layers: int = 8  # Dense layers of the label's mapping network.
    mapping_features: int | None = None  # Width of its hidden layers; None is `cmap_dim`.
    embed_features: int | None = None  # Width of its embedding; None is `cmap_dim`.
    group_size: int | None = 4  # Group of the minibatch statistic; None for the whole batch.
    num_std_channels: int = 1  # Channels of the minibatch statistic; 0 for none.
    neighbours: bool = False  # Whether groups are of neighbours, as training on many devices needs.
    conv_clamp: float | None = None  # Bound of every convolution's outputs. None = no bound.
    precision: Precision = "float32"  # Of the blocks; the epilogue is float32.

    @property
    def resolution(self) -> int:
        """Pixels a side of the pictures."""
        return 2 << len(self.channels)

    @nn.compact
    def __call__(self, images: Array, c: Array | None = None) -> Array:
        """Judges pictures.

        Args:
            images: [N, R, R, 3] in [-1, 1].
            c: [N, c_dim] labels, or None.

        Returns:
            [N, 1], float32.

        Raises:
            ShapeError: If the pictures or labels are of another size, or N does not divide into
                groups.
            OptionError: If the architecture or precision is unknown.
        """
        check_choice("architecture", self.architecture, Architecture)
        check_choice("precision", self.precision, Precision)
        size = (None, self.resolution, self.resolution, self.image_channels)
        check_shape("images", images.shape, size)
        if c is not None:
            check_shape("c", c.shape, (images.shape[0], self.c_dim))
        image = images.astype(self.precision)
        x: Any = None

        # Blocks, from the finest to 8x8.
        coarser = (0, *self.channels[:-1])  # What each block gives.
        plan = list(zip(resolutions(self.resolution), self.channels, coarser, strict=True))
        for resolution, width, features in reversed(plan):
            if x is None or self.architecture == "skip":
                clamp = self.conv_clamp if resolution > 4 else None
                colours = FromRGB(width, clamp, name=f"b{resolution}_fromrgb")(image)
                x = colours if x is None else x + colours
            if resolution == 4:
                break
            residual = self.architecture == "resnet"
            x = DiscriminatorBlock(features, residual, self.conv_clamp, name=f"b{resolution}")(x)
            if self.architecture == "skip":
                image = downsample2d(image, RESAMPLE_FILTER)

        # Logits. A label picks a direction of the last features (arXiv:1802.05637, section 3).
        cmap_dim = (self.cmap_dim or self.channels[0]) if self.c_dim else 0
        epilogue = DiscriminatorEpilogue(
            cmap_dim or 1,
            self.group_size,
            self.num_std_channels,
            self.neighbours,
            self.conv_clamp,
            name="b4",
        )
        x = epilogue(x.astype(jnp.float32))
        if not self.c_dim:
            return x
        label = Mapping(
            w_dim=cmap_dim,
            z_dim=0,
            c_dim=self.c_dim,
            num_layers=self.mapping_layers,
            layer_features=self.mapping_features,
            embed_features=self.embed_features,
            name="mapping",
        )(None, c)
        return jnp.sum(x * label, axis=1, keepdims=True) / math.sqrt(cmap_dim)
