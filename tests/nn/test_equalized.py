import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.nn.equalized import EqualizedConv, EqualizedDense, activate
from tests.compiling import jit
from tests.nn.drawing import assert_near, draw, variables_of
from tests.reference import stylegan2 as reference


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_dense_equals_definition(rate):
    module, x = EqualizedDense(5, learning_rate_multiplier=rate), draw(3, 4)
    variables = variables_of(module, x)
    assert_near(module.apply(variables, x), reference.dense(x, variables["params"], rate))


def test_dense_reads_any_leading_axes():
    module, x = EqualizedDense(5), draw(2, 3, 4)
    variables = variables_of(module, x)
    assert_near(module.apply(variables, x)[1], module.apply(variables, x[1]))


def test_dense_kernel_begins_with_deviation_of_inverse_rate():
    module = EqualizedDense(100, learning_rate_multiplier=0.01)
    kernel = module.init(jax.random.key(0), jnp.zeros((1, 100)))["params"]["kernel"]
    assert abs(float(jnp.std(kernel)) - 100) < 2  # 10,000 draws: two standard errors are 1.4.


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_dense_begins_with_its_bias_whatever_the_rate(rate):
    module, x = EqualizedDense(3, learning_rate_multiplier=rate, bias_init=1.0), jnp.zeros((1, 4))
    np.testing.assert_allclose(module.init_with_output(jax.random.key(0), x)[0], 1, rtol=1e-6)


@pytest.mark.parametrize("resample", ["none", "up", "down"])
@pytest.mark.parametrize("size", [1, 3])
def test_conv_equals_definition(size, resample):
    module, x = EqualizedConv(5, kernel_size=size, resample=resample), draw(2, 4, 4, 3)
    variables = variables_of(module, x)
    expected = reference.lrelu(reference.conv(x, variables["params"], resample))
    assert_near(jit(module.apply)(variables, x), expected)


def test_conv_without_bias_has_none():
    module = EqualizedConv(5, use_bias=False)
    assert list(variables_of(module, draw(1, 4, 4, 3))["params"]) == ["kernel"]


@pytest.mark.parametrize("layer", [EqualizedDense(4), EqualizedConv(4)], ids=["dense", "conv"])
def test_layer_keeps_bfloat16(layer):
    x = jnp.zeros((2, 4, 4, 3), jnp.bfloat16)
    assert layer.apply(variables_of(layer, x), x).dtype == jnp.bfloat16


def test_activate_multiplies_default_gain():
    y = activate(jnp.full((1, 1, 1, 1), 3.0), None, "lrelu", 0.5)
    assert_near(y, 3 * np.sqrt(2) * 0.5)


def test_activate_scales_bound_by_gain():
    y = activate(jnp.full((1, 1, 1, 1), 100.0), None, "lrelu", 0.5, 8.0)
    assert float(y[0, 0, 0, 0]) == 4


def test_leaky_relu_has_slope_of_negatives_at_zero():
    slope = jax.grad(lambda x: jnp.sum(activate(x, None, "lrelu")))(jnp.zeros((1, 1, 1, 1)))
    assert_near(slope, 0.2 * np.sqrt(2))
