"""Leaky ReLU between an upsampling and a downsampling, so that it adds no alias.

The map in the middle has four to sixteen times the pixels of the input. It is never kept for the
derivative, which computes it again from the input. On CPU it never exists whole either: all steps
leave samples and channels apart, so that a loop takes a few channels of one sample at a time, which
stay in the cache. For 86x86x256, upsampled by 2, on one core: forward 30 ms and 21 MiB where the
plain chain of its steps takes 49 ms and 46 MiB, gradient 87 ms and 23 MiB where that takes 133 ms
and 138 MiB. Products with band matrices in place of shifted sums take 1.6 to 5 times as long as the
chain. `benchmarks.filtered_lrelu` compares the forms on the layers of a generator.

On a TPU those products win, since channels no longer lie along the rows of 128 numbers, which few
fill: by its compiler a bfloat16 layer of 1046x1046x32 moves 1.6 GB on a v5e in place of 25.5 by
shifted sums, its gradient 3.4 in place of 62. An H100 moves 1.3 GB by shifted sums and 2.4 by
products. Radial filters are no products of two; they stay sums.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.platforms import by_platform
from sfe_jax.core.precision import broadcast_like, in_float32, product_precision
from sfe_jax.core.types import Array
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.upfirdn2d import is_separable, resampling_bands, upfirdn2d

CHANNELS_AT_ONCE = 32
"""Channels of a group on CPU."""

Sides = tuple[int, int, int, int]
"""Zeros before and after x, before and after y."""


def _in_groups(function: Callable[[Array], Array], x: Array) -> Array:
    """Applies `function` to one sample and a few channels at a time.

    Args:
        function: Of [1, H, W, c], without exchange between channels or samples.
        x: [N, H, W, C].

    Returns:
        [N, H', W', C].
    """
    samples, height, width, channels = x.shape
    count = -(-channels // CHANNELS_AT_ONCE)
    if samples * count == 1:
        return function(x)
    size = -(-channels // count)
    x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, count * size - channels)))
    groups = jnp.moveaxis(x.reshape(samples, height, width, count, size), 3, 1)
    y = lax.map(function, groups.reshape(samples * count, 1, height, width, size))
    y = jnp.moveaxis(y.reshape(samples, count, *y.shape[2:]), 1, 3)
    return y.reshape(*y.shape[:3], -1)[..., :channels]


def _in_planes(
    function: Callable[[Array], Array],
    x: Array,
    up: tuple[Array, Array],
    down: tuple[Array, Array],
) -> Array:
    """Applies `function` between resamplings by band matrices.

    Args:
        function: Of single numbers.
        x: [N, H, W, C].
        up: [H, H'] and [W, W'].
        down: [H', H"] and [W', W"].

    Returns:
        [N, H", W", C].
    """
    product = functools.partial(jnp.einsum, precision=product_precision(x.dtype))
    x = product("nyxc,xw->ncyw", x, up[1])
    x = function(product("ncyw,yh->nchw", x, up[0]))
    x = product("nchw,wx->nchx", x, down[1])
    return product("nchx,hy->nyxc", x, down[0])


def filtered_lrelu(
    x: Array,
    bias: Array | None = None,
    *,
    up_filter: np.ndarray | None = None,
    down_filter: np.ndarray | None = None,
    up: int = 1,
    down: int = 1,
    padding: Sides = (0, 0, 0, 0),
    slope: float = 0.2,
    gain: float = math.sqrt(2),
    clamp: float | None = None,
) -> Array:
    """Adds a bias, upsamples, applies leaky ReLU, a gain and a clamp, and downsamples.

    Derivatives of any order; the slope is 0 where the clamp holds.

    Args:
        x: [N, H, W, C], float32 or bfloat16.
        bias: [C] in the dtype of `x`, or None.
        up_filter: Of the upsampling, [n] or [n, n]; brightness is kept if its sum is 1. None does
            not filter.
        down_filter: Of the downsampling, likewise.
        up: Factor before the nonlinearity.
        down: Factor after it.
        padding: Zeros around the upsampled map: before x, after x, before y, after y; negative
            widths crop.
        slope: Of negative values.
        gain: Factor of the nonlinearity's result.
        clamp: Bound of the absolute value between the filters. None = no bound.

    Returns:
        [N, H', W', C], dtype of `x`, of the size (H up + y0 + y1 - (up taps - 1) - (down taps - 1)
        + down - 1) // down, likewise for W'.

    Raises:
        ShapeError: If `bias` does not fit, or as `upfirdn2d`.

    Source: StyleGAN3 (arXiv:2106.12423), section 3.2; stylegan3,
        torch_utils/ops/filtered_lrelu.py.
    """
    check_shape("x", x.shape, (None, None, None, None))
    if bias is not None:
        check_shape("bias", bias.shape, x.shape[-1:])
        x = x + broadcast_like(bias, x)

    act = functools.partial(bias_act, alpha=slope, gain=gain, clamp=clamp)

    @jax.checkpoint
    def apply(x: Array) -> Array:
        x = act(upfirdn2d(x, up_filter, up=up, padding=padding, gain=float(up**2)))
        return upfirdn2d(x, down_filter, down=down)

    @jax.checkpoint
    def in_planes(x: Array) -> Array:
        bands = functools.partial(resampling_bands, dtype=x.dtype)
        _, height, width, _ = x.shape
        wide = bands((height, width), up_filter, up=up, padding=padding, gain=float(up**2))
        narrow = bands((wide[0].shape[1], wide[1].shape[1]), down_filter, down=down)
        return _in_planes(act, x, wide, narrow)

    grouped = in_float32(functools.partial(_in_groups, apply))
    tpu = in_planes if is_separable(up_filter) and is_separable(down_filter) else apply
    return by_platform(x, cpu=grouped, tpu=tpu, default=apply)
