"""The operations in JAX as anyone would write them: what XLA makes of the plain mathematics.

Each has the arguments of the library's function of the same name, if there is one. Filters are
depthwise convolutions with a dilated input, kernels are modulated per sample, and a chain is a
chain.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.rivals.swapping import swapped
from sfe_jax.core.types import Array
from sfe_jax.ops import bias_act as ops_bias_act
from sfe_jax.ops import convolution as ops_convolution
from sfe_jax.ops import filtered_lrelu as ops_filtered_lrelu
from sfe_jax.ops import minibatch_std as ops_minibatch_std
from sfe_jax.ops import modulated_conv as ops_modulated_conv
from sfe_jax.ops import packing as ops_packing
from sfe_jax.ops import upfirdn2d as ops_upfirdn2d


def _correlate(x: Array, kernel: Array, **options: Any) -> Array:
    """A convolution; float32 keeps all bits unless a faster path was asked for."""
    return lax.conv_general_dilated(
        x,
        kernel,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=ops_convolution.product_precision(x.dtype),
        **options,
    )


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    """(x, y) of one factor or two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _sides(padding: int | Sequence[int]) -> Sequence[int]:
    """Before and after x, before and after y."""
    if isinstance(padding, int):
        return (padding,) * 4
    return padding if len(padding) == 4 else (padding[0], padding[0], padding[1], padding[1])


def _filter(
    x: Array, kernel: np.ndarray, *, up: Sequence[int], down: Sequence[int], sides: Sequence[int]
) -> Array:
    """One depthwise convolution of the input with zeros between its pixels; factors are (y, x)."""
    full = np.repeat(kernel[:, :, None, None], x.shape[3], axis=3)
    return _correlate(
        x,
        jnp.asarray(full, x.dtype),
        window_strides=tuple(down),
        padding=((sides[0], sides[1] + up[0] - 1), (sides[2], sides[3] + up[1] - 1)),
        lhs_dilation=tuple(up),
        feature_group_count=x.shape[3],
    )


def upfirdn2d(
    x: Array,
    f: np.ndarray | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = (0, 0, 0, 0),
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Array:
    """A depthwise convolution; one along each axis if the filter is one-dimensional."""
    f = np.ones((1, 1)) if f is None else np.asarray(f, np.float64)
    f = f if flip_filter else np.flip(f)
    (up_x, up_y), (down_x, down_y), (x0, x1, y0, y1) = _pair(up), _pair(down), _sides(padding)
    if f.ndim == 2:
        sides = (y0, y1, x0, x1)
        return _filter(x, f * gain, up=(up_y, up_x), down=(down_y, down_x), sides=sides)
    x = _filter(x, f[None] * gain, up=(1, up_x), down=(1, down_x), sides=(0, 0, x0, x1))
    return _filter(x, f[:, None], up=(up_y, 1), down=(down_y, 1), sides=(y0, y1, 0, 0))


def bias_act(
    x: Array,
    bias: Array | None = None,
    *,
    activation: str = "lrelu",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Array:
    """Four steps of `jax.numpy`."""
    function, usual, slope = ops_bias_act.ACTIVATIONS[activation]
    x = x if bias is None else x + jnp.broadcast_to(bias, x.shape)
    if activation == "lrelu":
        x = jax.nn.leaky_relu(x, 0.2 if alpha is None else alpha)
    else:
        x = function(x, slope if alpha is None else alpha)
    x = x * (usual if gain is None else gain)
    return x if clamp is None else jnp.clip(x, -clamp, clamp)


def epilogue(y: Array, scale: Array, noise: Array, bias: Array) -> Array:
    """Demodulation, noise, bias and activation after a modulated convolution, one by one."""
    y = y * scale[:, None, None, :].astype(y.dtype)
    return bias_act(y + noise.astype(y.dtype), bias)


def convolve(x: Array, kernel: Array, *, stride: int = 1, pack: bool = True) -> Array:
    """One convolution, as XLA does it."""
    del pack  # There is nothing to be packed.
    padding = [(size // 2, size // 2) for size in kernel.shape[:2]]
    return _correlate(x, kernel, window_strides=(stride, stride), padding=padding)


def upsample_convolve(
    x: Array, kernel: Array, *, f: np.ndarray = ops_convolution.RESAMPLE_FILTER
) -> Array:
    """A transposed convolution, then the low-pass filter."""
    if kernel.shape[0] == 1:
        return upfirdn2d(convolve(x, kernel), f, up=2, padding=(2, 1, 2, 1), gain=4.0)
    options = {"window_strides": (1, 1), "padding": ((2, 2), (2, 2)), "lhs_dilation": (2, 2)}
    return upfirdn2d(_correlate(x, kernel[::-1, ::-1], **options), f, padding=1, gain=4.0)


def downsample_convolve(
    x: Array, kernel: Array, *, f: np.ndarray = ops_convolution.RESAMPLE_FILTER
) -> Array:
    """The low-pass filter, then a convolution of stride 2."""
    if kernel.shape[0] == 1:
        return convolve(upfirdn2d(x, f, down=2, padding=1), kernel)
    y = upfirdn2d(x, f, padding=2)
    return _correlate(y, kernel, window_strides=(2, 2), padding=((0, 0), (0, 0)))


def modulated_conv(
    x: Array,
    kernel: Array,
    styles: Array,
    *,
    demodulate: bool = True,
    convolution: Callable[[Array, Array], Array] = convolve,
) -> Array:
    """A kernel for each sample, which XLA turns into one grouped convolution.

    Source: StyleGAN2 (arXiv:1912.04958), equations 1 and 3.
    """

    def convolve_one(image: Array, style: Array) -> Array:
        weights = kernel * style[None, None, :, None]
        if demodulate:
            energy = jnp.sum(jnp.square(weights), axis=(0, 1, 2), keepdims=True)
            weights = weights * lax.rsqrt(energy + 1e-8)
        return convolution(image[None], weights.astype(image.dtype))[0]

    return jax.vmap(convolve_one)(x, styles)


def filtered_lrelu(
    x: Array,
    bias: Array | None = None,
    *,
    up_filter: np.ndarray | None = None,
    down_filter: np.ndarray | None = None,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    slope: float = 0.2,
    gain: float = math.sqrt(2),
    clamp: float | None = None,
) -> Array:
    """Four operations one after the other."""
    x = bias_act(x, bias, activation="linear")
    x = upfirdn2d(x, up_filter, up=up, padding=padding, gain=float(up**2))
    x = bias_act(x, alpha=slope, gain=gain, clamp=clamp)
    return upfirdn2d(x, down_filter, down=down)


def minibatch_std(
    x: Array, *, group_size: int | None = 4, num_channels: int = 1, neighbours: bool = False
) -> Array:
    """Statistics of groups, spread over the picture."""
    n, height, width, channels = x.shape
    size = n if group_size is None else min(group_size, n)
    shape = (n // size, size) if neighbours else (size, n // size)
    axis = 1 if neighbours else 0
    groups = x.reshape(*shape, height, width, num_channels, channels // num_channels)
    deviation = jnp.sqrt(jnp.var(groups, axis=axis) + 1e-8)
    statistic = jnp.mean(deviation, axis=(1, 2, 4))
    statistic = jnp.broadcast_to(jnp.expand_dims(statistic, axis), (*shape, num_channels))
    maps = statistic.reshape(n, 1, 1, num_channels)
    return jnp.concatenate([x, jnp.broadcast_to(maps, (n, height, width, num_channels))], axis=3)


def elementwise(function: Callable[..., Array], x: Array, *others: Array) -> Array:
    """The function alone: there is nothing packed."""
    return function(x, *others)


REPLACED: Mapping[Callable, Callable] = {
    ops_upfirdn2d.upfirdn2d: upfirdn2d,
    ops_bias_act.bias_act: bias_act,
    ops_convolution.convolve: convolve,
    ops_convolution.upsample_convolve: upsample_convolve,
    ops_convolution.downsample_convolve: downsample_convolve,
    ops_modulated_conv.modulated_conv: modulated_conv,
    ops_filtered_lrelu.filtered_lrelu: filtered_lrelu,
    ops_minibatch_std.minibatch_std: minibatch_std,
    ops_packing.elementwise: elementwise,
}
"""Functions of the library, and the plain ones."""


def installed() -> AbstractContextManager[None]:
    """Puts the plain operations in the place of the library's, for whole networks."""
    return swapped(REPLACED)
