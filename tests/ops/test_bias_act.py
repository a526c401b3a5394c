import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError, ShapeError
from sfe_jax.ops.bias_act import ACTIVATIONS, bias_act
from tests.reference import bias_act as reference


def second_derivative(activation, point):
    value = lambda x: bias_act(x[None], activation=activation, gain=1.0)[0]  # noqa: E731
    return jax.grad(jax.grad(value))(jnp.float32(point))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_bias_act_equals_formula(activation):
    x = np.linspace(-4, 4, 2 * 3 * 2 * 4).reshape(2, 3, 2, 4).astype(np.float32)
    bias = np.array([-1, 0, 0.5, 2], np.float32)
    y = bias_act(jnp.asarray(x), jnp.asarray(bias), activation=activation)
    expected = reference.bias_act(x.astype(np.float64), bias, activation)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_bias_act_scales_then_clamps():
    y = bias_act(jnp.asarray([-3.0, 0.1, 3.0]), alpha=0.1, gain=2.0, clamp=0.5)
    np.testing.assert_allclose(y, [-0.5, 0.2, 0.5], rtol=1e-6)


def test_bias_act_takes_any_rank():
    y = bias_act(jnp.zeros((2, 3)), jnp.asarray([1.0, 2.0, 3.0]), activation="linear")
    np.testing.assert_array_equal(y, [[1, 2, 3], [1, 2, 3]])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_bias_act_keeps_bfloat16(activation):
    x = jnp.zeros((2, 3), jnp.bfloat16)
    y = bias_act(x, jnp.ones(3, jnp.bfloat16), activation=activation, gain=0.5, clamp=1.0)
    assert y.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("activation", "expected"), [("lrelu", 0), ("relu", 0), ("softplus", 0.25), ("swish", 0.5)]
)
def test_second_derivative_of_bias_act_is_finite_at_zero(activation, expected):
    np.testing.assert_allclose(second_derivative(activation, 0.0), expected, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_second_derivative_of_bias_act_is_finite_for_large_input(activation):
    assert np.isfinite(second_derivative(activation, 200.0))


def test_slope_of_lrelu_is_alpha_at_zero():
    slope = jax.grad(lambda x: bias_act(x[None], alpha=0.3, gain=1.0)[0])(jnp.float32(0))
    np.testing.assert_allclose(slope, 0.3, rtol=1e-6)


def test_bias_act_raises_for_other_bias_length():
    with pytest.raises(ShapeError, match=r"`bias` has shape \(2,\); required is \(3\)"):
        bias_act(jnp.zeros((1, 3)), jnp.zeros(2))


def test_bias_act_lists_choices_for_unknown_activation():
    with pytest.raises(OptionError, match="'gelu'; choose one of linear, relu, lrelu"):
        bias_act(jnp.zeros(3), activation="gelu")


def test_bias_act_raises_for_alpha_without_use():
    with pytest.raises(OptionError, match=r"`alpha` is 0\.1; relu has none"):
        bias_act(jnp.zeros(3), activation="relu", alpha=0.1)


def test_slope_by_the_bias_of_a_large_bfloat16_map_is_the_sum_of_all():
    x, bias = jnp.ones((4, 64, 64, 3), jnp.bfloat16), jnp.zeros(3, jnp.bfloat16)
    slope = jax.grad(lambda bias: jnp.sum(bias_act(x, bias, activation="linear")))(bias)
    np.testing.assert_array_equal(np.asarray(slope, np.float32), 4 * 64 * 64)
