"""Layers with an equalised learning rate: unit-variance weights, scaled when they are used.

Source: ProGAN (arXiv:1710.10196), section 4.1; stylegan2-ada-pytorch training/networks.py.
"""

import math

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.nn.parametric import ParametricModule
from sfe_jax.ops.bias_act import ACTIVATIONS, bias_act
from sfe_jax.ops.convolution import convolve, downsample_convolve, upsample_convolve

RESAMPLED_CONVOLUTION = {"none": convolve, "up": upsample_convolve, "down": downsample_convolve}
"""Convolution with its 2x resampling, by name."""


class EqualizedDense(ParametricModule):
    """Fully connected layer: act(x (W lr / sqrt(in)) + b lr).

    Input [..., I] of any leading axes, output [..., features], dtype of the input.
    """

    features: int  # Output size.
    learning_rate_multiplier: float = 1.0  # 0.01 in mapping networks; scales the bias too.
    bias_init: float = 0.0  # 1 in the affine layers of styles.
    activation: str = "linear"  # A name of `ops.bias_act.ACTIVATIONS`.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layer to x [..., I]."""
        rate = self.learning_rate_multiplier
        fan_in = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1 / rate), (fan_in, self.features))
        bias = self.param("bias", nn.initializers.constant(self.bias_init / rate), (self.features,))
        kernel = (kernel * (rate / math.sqrt(fan_in))).astype(x.dtype)
        y = jnp.matmul(x, kernel, precision=product_precision(x.dtype))
        return bias_act(y, (bias * rate).astype(x.dtype), activation=self.activation)


class EqualizedConv(ParametricModule):
    """Convolution with optional 2x resampling, bias and activation.

    Input [N, H, W, I], output [N, H', W', features], dtype of the input.
    """

    features: int  # Output channels.
    kernel_size: int = 3  # 1 or 3.
    resample: str = "none"  # A name of `RESAMPLED_CONVOLUTION`.
    use_bias: bool = True  # Whether a bias is learned.
    activation: str = "lrelu"  # A name of `ops.bias_act.ACTIVATIONS`.
    gain: float = 1.0  # Multiplies the activation's default gain.
    clamp: float | None = None  # Bound of the outputs before `gain`. None = no bound.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layer to x [N, H, W, I]."""
        size, channels = self.kernel_size, x.shape[-1]
        shape = (size, size, channels, self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        kernel = (kernel * (1 / math.sqrt(size * size * channels))).astype(x.dtype)
        y = RESAMPLED_CONVOLUTION[self.resample](x, kernel)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        return activate(y, bias, self.activation, self.gain, self.clamp)


def activate(
    x: Array, bias: Array | None, activation: str, gain: float = 1.0, clamp: float | None = None
) -> Array:
    """Bias, activation with its default gain times `gain`, and a bound that scales with `gain`.

    Args:
        x: [N, H, W, C].
        bias: [C] or None.
        activation: A name of `ops.bias_act.ACTIVATIONS`.
        gain: Residual gain, such as sqrt(1/2).
        clamp: Bound before `gain`, None for none.

    Returns:
        [N, H, W, C].
    """
    return bias_act(
        x,
        bias,
        activation=activation,
        gain=ACTIVATIONS[activation].gain * gain,
        clamp=None if clamp is None else clamp * gain,
    )
