"""Residual units of the face encoders: iResNet, IR and IR-SE, and the fuser of features.

All of them are one branch (norm, conv, [norm], PReLU, conv, norm, [squeeze and excitation]) and a
shortcut, without an activation after the sum. Batch normalisation has eps 1e-5 and momentum 0.9;
kernels and biases begin as PyTorch's layers do by default, as those of the original encoders.

Source: ArcFace (arXiv:1801.07698), section 3.1; encoder4editing models/encoders/helpers.py.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.nn.parametric import ParametricModule
from sfe_jax.ops.convolution import convolve


class BatchNorm(ParametricModule, nn.BatchNorm):
    """Batch normalisation with the statistics that the original weights assume."""

    momentum: float = 0.9
    epsilon: float = 1e-5


def pytorch_uniform(fan_in: int) -> nn.initializers.Initializer:
    """Uniform draws between -1 / sqrt(fan_in) and 1 / sqrt(fan_in), of kernels and of biases.

    Args:
        fan_in: Numbers that an output is summed of.

    Source: PyTorch, torch/nn/modules/conv.py and linear.py (reset_parameters).
    """
    return partial(jax.random.uniform, minval=-(fan_in**-0.5), maxval=fan_in**-0.5)


class Conv(ParametricModule):
    """Convolution with zero padding that keeps the size before the stride.

    Input [N, H, W, I], output [N, ceil(H / stride), ceil(W / stride), features].
    """

    features: int  # Output channels.
    kernel_size: int = 3  # Odd.
    stride: int = 1  # 1 or 2.
    use_bias: bool = False  # Whether a bias is learned.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layer to x [N, H, W, I]."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        start = pytorch_uniform(self.kernel_size**2 * x.shape[-1])
        kernel = self.param("kernel", start, shape)
        y = convolve(x, kernel.astype(x.dtype), stride=self.stride, pack=False)
        if self.use_bias:
            bias = self.param("bias", start, (self.features,))
            y = y + bias.astype(x.dtype)[None, None, None, :]
        return y


class Dense(nn.Module):
    """Fully connected layer in the precision of its input: [..., I] to [..., features]."""

    features: int  # Output size.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layer to x [..., I]."""
        start = pytorch_uniform(x.shape[-1])
        return nn.Dense(
            self.features,
            dtype=x.dtype,
            precision=product_precision(x.dtype),
            kernel_init=start,
            bias_init=start,
            name="linear",
        )(x)


class PReLU(ParametricModule):
    """max(x, 0) + slope min(x, 0), one slope per channel. Input and output [..., C]."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the activation to x [..., C]."""
        slope = self.param("slope", nn.initializers.constant(0.25), (x.shape[-1],))
        slope = jnp.expand_dims(slope.astype(x.dtype), range(x.ndim - 1))
        return jnp.where(x > 0, x, slope * x)


class SqueezeExcitation(nn.Module):
    """Scales each channel by a sigmoid of the mean over positions. Input and output [N, H, W, C].

    Source: Squeeze-and-Excitation (arXiv:1709.01507), section 3.
    """

    reduction: int = 16  # Factor by which the hidden layer is narrower.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the scaling to x [N, H, W, C]."""
        channels = x.shape[-1]
        y = jnp.mean(x, axis=(1, 2), keepdims=True)
        y = nn.relu(Conv(max(channels // self.reduction, 1), kernel_size=1, name="reduce")(y))
        return x * nn.sigmoid(Conv(channels, kernel_size=1, name="expand")(y))


class ResidualBranch(nn.Module):
    """Norm, conv, [norm], PReLU, conv of `stride`, norm, [squeeze and excitation].

    Input [N, H, W, I], output [N, ceil(H / stride), ceil(W / stride), features].
    """

    features: int  # Output channels.
    stride: int = 1  # Stride of the second convolution.
    middle_norm: bool = True  # Whether the first convolution is normalised: iResNet yes, IR no.
    squeeze_excitation: bool = False  # Whether channels are rescaled at the end.

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """Applies the branch to x [N, H, W, I]; `train` normalises by the batch."""
        norm = partial(BatchNorm, use_running_average=not train, dtype=x.dtype)
        y = norm(name="norm1")(x)
        y = Conv(self.features, name="conv1")(y)
        if self.middle_norm:
            y = norm(name="norm2")(y)
        y = PReLU(name="prelu")(y)
        y = Conv(self.features, stride=self.stride, name="conv2")(y)
        y = norm(name="norm3")(y)
        return SqueezeExcitation(name="squeeze")(y) if self.squeeze_excitation else y


class ResidualUnit(nn.Module):
    """A `ResidualBranch` and its shortcut: subsampling, or a 1x1 convolution and a norm.

    Input [N, H, W, I], output [N, ceil(H / stride), ceil(W / stride), features].
    """

    features: int  # Output channels.
    stride: int = 1  # Stride of branch and shortcut.
    project: bool = False  # Whether the shortcut is a convolution.
    middle_norm: bool = True  # See `ResidualBranch`.
    squeeze_excitation: bool = False  # See `ResidualBranch`.

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """Applies the unit to x [N, H, W, I]; `train` normalises by the batch."""
        # Shortcut.
        if self.project:
            y = Conv(self.features, kernel_size=1, stride=self.stride, name="shortcut_conv")(x)
            norm = BatchNorm(use_running_average=not train, dtype=x.dtype, name="shortcut_norm")
            shortcut = norm(y)
        else:
            shortcut = x[:, :: self.stride, :: self.stride]

        # Branch.
        branch = ResidualBranch(
            self.features,
            stride=self.stride,
            middle_norm=self.middle_norm,
            squeeze_excitation=self.squeeze_excitation,
            name="branch",
        )
        return shortcut + branch(x, train=train)


class Stem(nn.Module):
    """Conv, norm, PReLU: from an image [N, H, W, 3] to [N, H, W, features]."""

    features: int = 64  # Output channels.

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """Applies the stem to x [N, H, W, I]; `train` normalises by the batch."""
        y = Conv(self.features, name="conv")(x)
        y = BatchNorm(use_running_average=not train, dtype=x.dtype, name="norm")(y)
        return PReLU(name="prelu")(y)
