"""Half-precision maps on CPU: computed in float32, rounded once at the end."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.convolution import convolve, downsample_convolve, upsample_convolve
from sfe_jax.ops.filtered_lrelu import filtered_lrelu
from sfe_jax.ops.lowpass import radial_lowpass
from sfe_jax.ops.modulated_conv import modulated_conv
from sfe_jax.ops.upfirdn2d import upfirdn2d
from tests.compiling import jit

BFLOAT16_BITS = 8
"""Significant bits, the leading one counted."""

TAPS = np.asarray([0.1, 0.4, 0.3, 0.2], np.float32)
RADIAL = radial_lowpass(3, cutoff=3.0, width=6.0, rate=16.0) + np.eye(3, dtype=np.float32) / 50

KERNEL = np.random.default_rng(1).integers(-3, 4, (3, 3, 4, 5)).astype(np.float32)
"""Of whole numbers, which bfloat16 holds."""

STYLES = np.random.default_rng(2).standard_normal((2, 4)).astype(np.float32)
BIAS = np.asarray([0.5, -0.25, 0.125, 1.0], np.float32)


def scaled(x, convolution):
    return modulated_conv(x, KERNEL, STYLES, demodulate=False, convolution=convolution)


OPERATIONS = {
    "separable": partial(upfirdn2d, f=TAPS, up=2, padding=3),
    "radial": partial(upfirdn2d, f=RADIAL, padding=1),
    "upsample": lambda x: upsample_convolve(x, KERNEL.astype(x.dtype)),
    "downsample": lambda x: downsample_convolve(x, KERNEL.astype(x.dtype)),
    "modulated": partial(scaled, convolution=convolve),
    "modulated_up": partial(scaled, convolution=upsample_convolve),
    "bias_act": lambda x: bias_act(x, BIAS.astype(x.dtype), clamp=1.5),
    "filtered_lrelu": partial(
        filtered_lrelu, up_filter=TAPS, down_filter=TAPS, up=2, down=2, padding=(3, 3, 3, 3)
    ),
}


def exact_in_bfloat16(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.bfloat16)


def assert_rounded_once(actual, expected):
    """`actual` is bfloat16 and within half a unit of its last place of `expected`."""
    assert actual.dtype == jnp.bfloat16
    expected = np.asarray(expected)
    room = 2.0**-BFLOAT16_BITS * np.abs(expected) + 1e-5 * np.abs(expected).max()
    assert (np.abs(np.asarray(actual, np.float32) - expected) <= room).all()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_result_is_that_of_float32_rounded_once(operation):
    x = exact_in_bfloat16(2, 6, 6, 4)
    function = jit(OPERATIONS[operation])
    assert_rounded_once(function(x), function(x.astype(jnp.float32)))


@pytest.mark.parametrize("operation", ["separable", "modulated", "bias_act"])
def test_slope_is_that_of_float32_rounded_once(operation):
    x, wide = (exact_in_bfloat16(2, 6, 6, 4).astype(t) for t in (jnp.bfloat16, jnp.float32))
    function = OPERATIONS[operation]
    seed = exact_in_bfloat16(*jax.eval_shape(function, x).shape, seed=3)

    def slope(x):
        return jax.vjp(function, x)[1](seed.astype(x.dtype))[0]

    assert_rounded_once(jit(slope)(x), jit(slope)(wide))
