from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.convolution import convolve, downsample_convolve, upsample_convolve
from sfe_jax.ops.modulated_conv import demodulation, modulate_weights, modulated_conv
from tests.compiling import jit
from tests.lowering import pretend
from tests.reference import convolution as reference

CONVOLUTIONS = {
    "same": (convolve, reference.same),
    "up": (upsample_convolve, reference.upsample),
    "down": (downsample_convolve, reference.downsample),
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def case(size=3):
    return draw(3, 4, 4, 5), draw(size, size, 5, 6, seed=1), draw(3, 5, seed=2)


def assert_near(actual, expected, tolerance=1e-5):
    expected = np.asarray(expected, np.float32)
    np.testing.assert_allclose(
        np.asarray(actual, np.float32), expected, rtol=0, atol=tolerance * np.abs(expected).max()
    )


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_modulated_conv_equals_definition(name, demodulate, size):
    ours, plain = CONVOLUTIONS[name]
    form = jit(partial(modulated_conv, demodulate=demodulate, convolution=ours))
    y = form(*case(size))
    assert_near(y, reference.modulated(*case(size), plain, demodulate))


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulate_weights_equals_definition(demodulate):
    form = partial(modulate_weights, demodulate=demodulate, convolution=upsample_convolve)
    y = jit(form)(*case())
    assert_near(y, reference.modulated(*case(), reference.upsample, demodulate))


def test_demodulation_is_one_over_norm_of_scaled_kernel():
    _, kernel, styles = case()
    scaled = kernel[None] * styles[:, None, None, :, None]
    expected = 1 / np.sqrt((scaled**2).sum(axis=(1, 2, 3)) + 1e-8)
    np.testing.assert_allclose(demodulation(kernel, styles), expected, rtol=1e-5)


def test_demodulated_output_keeps_unit_variance():
    x, kernel = draw(1, 32, 32, 16), draw(3, 3, 16, 64, seed=1)
    y = modulated_conv(x, kernel, 100 * draw(1, 16, seed=2))
    assert abs(np.std(y[:, 1:-1, 1:-1]) - 1) < 0.03  # 57,600 samples, correlated nine by nine.


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_demodulated_output_ignores_scale_of_styles(dtype):
    x, kernel, styles = case()
    x = jnp.asarray(x, dtype)
    assert_near(modulated_conv(x, kernel, 8 * styles), modulated_conv(x, kernel, styles))


def test_output_follows_scale_of_styles_without_demodulation():
    x, kernel, styles = case()
    y = modulated_conv(x, kernel, styles, demodulate=False)
    assert_near(modulated_conv(x, kernel, 8 * styles, demodulate=False), 8 * y)


def test_modulated_conv_keeps_dtype_for_bfloat16():
    x, kernel, styles = case()
    assert modulated_conv(jnp.asarray(x, jnp.bfloat16), kernel, styles).dtype == jnp.bfloat16


def test_modulated_conv_stays_near_float32_in_bfloat16():
    x, kernel, styles = case()
    y = modulated_conv(jnp.asarray(x, jnp.bfloat16), kernel, styles)
    assert_near(y, modulated_conv(x, kernel, styles), tolerance=0.02)  # Bfloat16 has 8 bits.


def test_modulated_conv_stays_right_for_huge_styles_in_bfloat16():
    x, kernel, styles = case()
    x = jnp.asarray(x, jnp.bfloat16)
    huge = modulated_conv(x, kernel, np.float32(2.0**100) * styles)  # Its square is no float32.
    assert_near(huge, modulated_conv(x, kernel, styles))


@pytest.mark.parametrize("shape", [(3, 4), (2, 5), (5,)], ids=["channels", "samples", "axes"])
def test_modulated_conv_refuses_styles_of_other_shape(shape):
    x, kernel, _ = case()
    with pytest.raises(ShapeError, match=r"`styles` has shape .*required is \(3, 5\)"):
        modulated_conv(x, kernel, jnp.zeros(shape))


def test_modulated_conv_refuses_single_channel_that_would_broadcast():
    _, kernel, styles = case()
    with pytest.raises(ShapeError, match="`x` has shape"):
        modulated_conv(jnp.zeros((3, 4, 4, 1)), kernel, styles)


def test_slopes_of_thin_maps_as_on_tpu_equal_those_elsewhere(monkeypatch):
    x, kernel, styles = draw(2, 64, 64, 16), draw(3, 3, 16, 12, seed=1), draw(2, 16, seed=2)

    def loss(*arguments):
        y = modulated_conv(*arguments, convolution=convolve)
        return jnp.mean(jnp.sin(y))

    plain = jit(jax.grad(loss, argnums=(0, 1, 2)))(x, kernel, styles)
    pretend(monkeypatch, "tpu")
    packed = jit(jax.grad(lambda *a: loss(*a), argnums=(0, 1, 2)))(x, kernel, styles)
    jax.tree.map(partial(assert_near, tolerance=2e-5), packed, plain)


def test_slope_by_the_styles_of_a_large_bfloat16_map_is_that_of_float32():
    x, kernel, styles = jnp.ones((2, 64, 64, 4)), jnp.ones((1, 1, 4, 4)), jnp.ones((2, 4))

    def slope(dtype):
        def total(styles):
            y = modulated_conv(x.astype(dtype), kernel, styles, demodulate=False)
            return jnp.sum(y, dtype=jnp.float32)

        return jax.grad(total)(styles)

    np.testing.assert_allclose(slope(jnp.bfloat16), slope(jnp.float32), rtol=1e-2)
