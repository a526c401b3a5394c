from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.filtered_lrelu import CHANNELS_AT_ONCE, filtered_lrelu
from sfe_jax.ops.lowpass import lowpass, radial_lowpass
from sfe_jax.ops.upfirdn2d import upfirdn2d
from tests.compiling import jit
from tests.lowering import lowered, pretend
from tests.reference import filtered_lrelu as reference

UP = lowpass(6, cutoff=2.0, width=6.0, rate=16.0)
UP4 = lowpass(12, cutoff=2.0, width=6.0, rate=32.0)
DOWN = np.asarray([0.1, 0.4, 0.3, 0.15, 0.05], np.float32)  # Not symmetric, an odd number of taps.
RADIAL = radial_lowpass(3, cutoff=3.0, width=6.0, rate=16.0) + np.eye(3, dtype=np.float32) / 50

CASES = {
    "doubled": {
        "up_filter": UP,
        "down_filter": DOWN,
        "up": 2,
        "down": 2,
        "padding": (4, 3, 5, 2),
        "clamp": 0.7,
    },
    "quadrupled_and_cropped": {
        "up_filter": UP4,
        "down_filter": DOWN,
        "up": 4,
        "down": 2,
        "padding": (-3, -2, 1, -1),
    },
    "radial": {
        "up_filter": UP,
        "down_filter": RADIAL,
        "up": 2,
        "down": 2,
        "padding": (4, 3, 4, 3),
        "slope": 0.1,
        "gain": 1.3,
        "clamp": 0.7,
    },
    "unfiltered": {"gain": 1.3, "clamp": 0.7},
}


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


X, BIAS = draw(2, 7, 6, 3), draw(3, seed=1)


def chain(x, bias, *, up_filter, down_filter, up, down, padding, slope=0.2, **act):
    """The steps one after the other, with JAX's own derivatives."""
    x = bias_act(x, bias, activation="linear")
    x = upfirdn2d(x, up_filter, up=up, padding=padding, gain=up**2)
    return upfirdn2d(bias_act(x, alpha=slope, **act), down_filter, down=down)


@pytest.mark.parametrize("platform", ["cpu", "gpu", "tpu"])
@pytest.mark.parametrize("case", CASES)
def test_filtered_lrelu_equals_definition_as_on(platform, case, monkeypatch):
    pretend(monkeypatch, platform)
    options = {"gain": np.sqrt(2), "up_filter": None, "down_filter": None, **CASES[case]}
    y = jit(lambda x, b: filtered_lrelu(x, b, **CASES[case]))(X, BIAS)
    expected = reference.filtered_lrelu(np.float64(X), np.float64(BIAS), **options)
    np.testing.assert_allclose(y, expected, atol=2e-6)


def test_filtered_lrelu_equals_definition_with_more_channels_than_a_group():
    channels = 2 * CHANNELS_AT_ONCE + 3
    x, bias = draw(1, 4, 3, channels), draw(channels, seed=1)
    y = jit(lambda x, b: filtered_lrelu(x, b, **CASES["radial"]))(x, bias)
    expected = reference.filtered_lrelu(np.float64(x), np.float64(bias), **CASES["radial"])
    np.testing.assert_allclose(y, expected, atol=2e-6)


def test_filtered_lrelu_without_bias_equals_bias_of_zero():
    y = jit(lambda x: filtered_lrelu(x, **CASES["doubled"]))(X)
    zero = jit(lambda x, b: filtered_lrelu(x, b, **CASES["doubled"]))(X, jnp.zeros(3))
    np.testing.assert_array_equal(y, zero)


def test_filtered_lrelu_keeps_bfloat16():
    x = jax.ShapeDtypeStruct((1, 7, 6, 3), jnp.bfloat16)
    assert jax.eval_shape(lambda x: filtered_lrelu(x, **CASES["doubled"]), x).dtype == jnp.bfloat16


# Derivatives, against those that JAX finds of the plain chain.


@cache
def derivatives(function, case):
    """Slopes of sum(y^3), and those of the squared slopes, by x and by the bias."""

    def first(x, bias):
        return jax.grad(lambda x, b: jnp.sum(function(x, b, **CASES[case]) ** 3), (0, 1))(x, bias)

    def squares(x, bias):
        return sum(jnp.sum(jnp.square(slope)) for slope in first(x, bias))

    return jit(lambda x, b: (first(x, b), jax.grad(squares, (0, 1))(x, b)))(X, BIAS)


@pytest.mark.parametrize("case", ["doubled", "quadrupled_and_cropped"])
def test_derivative_on_tpu_equals_that_of_plain_chain(case, monkeypatch):
    pretend(monkeypatch, "tpu")
    slopes = jax.grad(lambda x, b: jnp.sum(filtered_lrelu(x, b, **CASES[case]) ** 3), (0, 1))
    for slope, expected in zip(jit(slopes)(X, BIAS), derivatives(chain, case)[0], strict=True):
        np.testing.assert_allclose(slope, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("case", "products"), [("doubled", 4), ("radial", 0)])
def test_separable_filters_are_products_on_tpu(case, products):
    text = lowered(lambda x: filtered_lrelu(x, **CASES[case]), X, platform="tpu")
    assert text.count("stablehlo.dot_general") == products


@pytest.mark.parametrize("order", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("case", ["doubled", "quadrupled_and_cropped", "radial"])
def test_derivative_equals_that_of_plain_chain(case, order):
    ours, plain = (derivatives(function, case)[order] for function in (filtered_lrelu, chain))
    for slope, expected in zip(ours, plain, strict=True):
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(slope, expected, atol=atol)


def test_forward_derivative_equals_that_of_plain_chain():
    ours, plain = (
        jit(lambda x, f=f: jax.jvp(lambda x: f(x, BIAS, **CASES["doubled"]), (x,), (x,))[1])(X)
        for f in (filtered_lrelu, chain)
    )
    np.testing.assert_allclose(ours, plain, atol=1e-5 * np.abs(plain).max())


def test_slope_is_zero_where_everything_is_clamped():
    total = lambda x: jnp.sum(filtered_lrelu(x, clamp=0.01))  # noqa: E731
    x = jnp.asarray([[[[3.0, -3.0, 0.001]]]])
    np.testing.assert_allclose(jax.grad(total)(x)[0, 0, 0], [0, 0, np.sqrt(2)], rtol=1e-6)


def test_derivative_keeps_no_more_than_the_input():
    _, pull_back = jax.vjp(lambda x, b: filtered_lrelu(x, b, **CASES["doubled"]), X, BIAS)
    kept = sum(leaf.nbytes for leaf in jax.tree.leaves(pull_back))
    assert kept <= X.nbytes + BIAS.nbytes


def test_derivative_never_holds_the_map_in_the_middle():
    """On CPU; 16 samples of 12x12 become 48x48 between the filters."""
    x = jax.ShapeDtypeStruct((16, 12, 12, 8), jnp.float32)
    options = {"up_filter": UP4, "up": 4, "padding": (6, 5, 6, 5), "down_filter": UP, "down": 2}
    total = lambda x: jnp.sum(jnp.square(filtered_lrelu(x, **options)))  # noqa: E731
    memory = jit(jax.grad(total)).lower(x).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 16 * 48 * 48 * 8 * 4 / 2


def test_filtered_lrelu_maps_over_a_leading_axis():
    xs = jnp.stack([X, 2 * X])
    run = lambda x: filtered_lrelu(x, BIAS, **CASES["doubled"])  # noqa: E731
    mapped = jit(jax.vmap(run))(xs)
    np.testing.assert_allclose(mapped[1], jit(run)(xs[1]), atol=1e-6)


def test_filtered_lrelu_refuses_bias_of_other_size():
    with pytest.raises(ShapeError, match=r"`bias` has shape \(2,\); required is \(3\)"):
        filtered_lrelu(X, BIAS[:2])


def test_slope_by_the_bias_of_a_large_bfloat16_map_is_the_sum_of_all():
    x, bias = jnp.ones((4, 64, 64, 3), jnp.bfloat16), jnp.zeros(3, jnp.bfloat16)
    slope = jax.grad(lambda bias: jnp.sum(filtered_lrelu(x, bias, slope=1.0, gain=1.0)))(bias)
    np.testing.assert_array_equal(np.asarray(slope, np.float32), 4 * 64 * 64)
