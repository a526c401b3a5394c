import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.cuda import pointwise
from benchmarks.cuda.slopes import Affine, Nonlinearity
from sfe_jax.core.errors import OptionError, ShapeError
from sfe_jax.ops import bias_act as xla
from tests.benchmarks.cuda.comparing import assert_same, normal, with_slopes

ROUNDED_ONCE = 2**-8
"""Half a unit of the last place of bfloat16, of the value."""


def plain_epilogue(x, demodulation, noise, bias, **options):
    y = x * demodulation[:, None, None].astype(x.dtype) + noise.astype(x.dtype)
    return xla.bias_act(y, bias.astype(x.dtype), **options)


@pytest.mark.parametrize("activation", xla.ACTIVATIONS)
def test_bias_act_and_its_slopes_equal_xla(kernels, activation):
    x, bias = normal(2, 3, 5, 12), normal(12, seed=1)
    options = {"activation": activation, "gain": 1.3, "clamp": 0.9}
    found, expected = (
        with_slopes(lambda x, b, form=form: form(x, b, **options), x, bias)
        for form in (pointwise.bias_act, xla.bias_act)
    )
    assert_same(found, expected)


@pytest.mark.parametrize("shape", [(7, 3), (3, 40, 203), (1, 5, 5, 1028), (2, 70, 1)])
def test_bias_act_and_its_slopes_equal_xla_in_any_shape(kernels, shape):
    x, bias = normal(*shape), normal(shape[-1], seed=1)
    found, expected = (with_slopes(form, x, bias) for form in (pointwise.bias_act, xla.bias_act))
    assert_same(found, expected)


def test_bias_act_without_bias_or_bound_equals_xla(kernels):
    x = normal(4, 8)
    assert_same(pointwise.bias_act(x, alpha=0.01, gain=1.0), xla.bias_act(x, alpha=0.01, gain=1.0))


@pytest.mark.parametrize("activation", xla.ACTIVATIONS)
def test_bias_act_passes_what_is_not_a_number(kernels, activation):
    x = jnp.full((1, 8), jnp.nan)
    assert jnp.isnan(pointwise.bias_act(x, activation=activation, clamp=1.0)).all()


def test_bias_act_rounds_once_in_bfloat16(kernels):
    x, bias = normal(3, 7, 16, dtype=jnp.bfloat16), normal(16, seed=1, dtype=jnp.bfloat16)
    expected = xla.bias_act(x.astype(jnp.float32), bias.astype(jnp.float32), activation="swish")
    found = pointwise.bias_act(x, bias, activation="swish")
    np.testing.assert_allclose(found.astype(jnp.float32), expected, rtol=ROUNDED_ONCE)


def test_bias_slope_in_bfloat16_is_summed_in_float32(kernels):
    x, bias = normal(4, 256, 16, dtype=jnp.bfloat16), jnp.zeros(16, jnp.bfloat16)
    _, (_, slope), _ = with_slopes(
        lambda x, b: pointwise.bias_act(x, b).astype(jnp.float32), x, bias
    )
    _, (_, expected), _ = with_slopes(xla.bias_act, x.astype(jnp.float32), bias.astype(jnp.float32))
    np.testing.assert_allclose(slope.astype(jnp.float32), expected, atol=0.02 * 16)


@pytest.mark.parametrize("noises", [1, 3])
@pytest.mark.parametrize("channels", [5, 32])
def test_epilogue_and_its_slopes_equal_xla(kernels, channels, noises):
    arguments = (
        *(normal(3, 9, 7, channels), normal(3, channels, seed=2)),
        *(normal(noises, 9, 7, 1, seed=3), normal(channels, seed=4)),
    )
    found, expected = (
        with_slopes(lambda *a, form=form: form(*a, gain=0.9, clamp=1.1), *arguments)
        for form in (pointwise.epilogue, plain_epilogue)
    )
    assert_same(found, expected)


def test_epilogue_with_everything_missing_is_the_activation(kernels):
    x = normal(1, 2, 2, 8)
    assert_same(pointwise.epilogue(x), xla.bias_act(x))


def test_epilogue_refuses_noise_of_another_size():
    with pytest.raises(ShapeError, match="`noise` has shape"):
        pointwise.epilogue(normal(2, 4, 4, 8), noise=normal(1, 4, 5, 1))


def test_bias_act_refuses_an_unknown_activation():
    with pytest.raises(OptionError, match="choose one of linear, relu"):
        pointwise.bias_act(normal(2, 8), activation="gelu")


def test_third_derivative_of_a_smooth_activation_is_refused():
    flat = Affine(normal(1, 2, 4), None, None, None)
    smooth = Nonlinearity("swish", 0.0, 1.0, float("inf"))
    with pytest.raises(OptionError, match="use the XLA form"):
        pointwise.CUDA.derivative(flat, flat.x, order=3, nonlinearity=smooth)
