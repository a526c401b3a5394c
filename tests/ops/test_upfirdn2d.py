import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.upfirdn2d import (
    downsample2d,
    filter2d,
    resampling_bands,
    setup_filter,
    upfirdn2d,
    upsample2d,
)
from tests.lowering import lowered, pretend
from tests.reference import upfirdn2d as reference

F4 = setup_filter([1, 3, 3, 1])
# Twelve taps with a negative lobe, stays one-dimensional.
F12 = setup_filter([-1, 2, 0, 5, 9, 12, 11, 8, 4, 1, -2, 1])
# Not an outer product.
RADIAL = setup_filter(np.arange(12.0).reshape(4, 3) ** 2)

CASES = {
    "plain": (F4, {"padding": (1, 2, 3, 0)}),
    "up": (F4, {"up": (2, 2), "padding": (2, 1, 2, 1), "gain": 4.0}),
    "down": (F4, {"down": (2, 2), "padding": (1, 1, 1, 1)}),
    "up_three_down_two_cropped": (F4, {"up": (3, 3), "down": (2, 2), "padding": (-1, 2, 3, -2)}),
    "two_factors": (F4, {"up": (2, 1), "down": (1, 3), "padding": (3, 0, 1, 2)}),
    "more_phases_than_taps": (F4[:2, :2], {"up": (5, 3), "padding": (1, 0, 2, 0)}),
    "cropped_and_padded_beyond_taps": (F4, {"padding": (-2, -1, 9, 6)}),
    "twelve_taps_up": (F12, {"up": (2, 2), "padding": (6, 5, 6, 5), "gain": 4.0}),
    "twelve_taps_down": (F12, {"down": (2, 2), "padding": (5, 5, 5, 5)}),
    "radial_up": (RADIAL, {"up": (2, 2), "padding": (1, 1, 2, 1)}),
    "radial_down": (RADIAL, {"down": (2, 3), "padding": (1, 1, 2, 1)}),
    "radial_up_three_down_two": (RADIAL, {"up": (3, 3), "down": (2, 2), "padding": (0, 2, 3, -2)}),
}


def image(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def run(function, *args, **options):
    """`function` under jit, with `options` and arguments that are not JAX arrays static."""
    arrays = [x for x in args if isinstance(x, jax.Array)]
    static = [x for x in args if not isinstance(x, jax.Array)]
    return jax.jit(lambda *arrays: function(*arrays, *static, **options))(*arrays)


def output_size(function, size, f, **options):
    x = jax.ShapeDtypeStruct((1, *size, 2), jnp.float32)
    return jax.eval_shape(lambda x: function(x, f, **options), x).shape[1:3]


def as_matrix(f):
    return np.outer(f, f) if f.ndim == 1 else f


@pytest.mark.parametrize("case", CASES)
def test_upfirdn2d_equals_definition(case):
    f, options = CASES[case]
    x = image(2, 9, 7, 3)
    y = run(upfirdn2d, jnp.asarray(x), f, **options)
    expected = reference.upfirdn2d(x.astype(np.float64), as_matrix(f), **options)
    np.testing.assert_allclose(y, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("platform", "picture"), [("tpu", True), ("gpu", False)])
def test_upfirdn2d_equals_definition_as_on(platform, picture, case, monkeypatch):
    f, options = CASES[case]
    x = image(2, 9, 7, 3)
    pretend(monkeypatch, platform)
    monkeypatch.setattr("sfe_jax.ops.upfirdn2d.is_picture", lambda shape: picture)
    y = run(upfirdn2d, jnp.asarray(x), f, **options)
    expected = reference.upfirdn2d(x.astype(np.float64), as_matrix(f), **options)
    np.testing.assert_allclose(y, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("platform", "products"), [("tpu", 2), ("gpu", 0), ("cpu", 0)])
def test_picture_is_resampled_by_products_on_tpu_alone(platform, products):
    x = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    text = lowered(lambda x: upsample2d(x, F4), x, platform=platform)
    assert text.count("stablehlo.dot_general") == products


@pytest.mark.parametrize(("platform", "joints"), [("cpu", 2), ("gpu", 0)])
def test_small_filter_goes_along_both_axes_at_once_on_gpus(platform, joints):
    x = jax.ShapeDtypeStruct((1, 8, 8, 16), jnp.float32)
    text = lowered(lambda x: filter2d(x, F4), x, platform=platform)
    assert text.count("stablehlo.concatenate") == joints  # Of halves.


def test_upfirdn2d_returns_filter_for_impulse():
    x = jnp.zeros((1, 1, 1, 1)).at[0, 0, 0, 0].set(1)
    y = run(upfirdn2d, x, RADIAL, padding=(2, 2, 3, 3))
    np.testing.assert_allclose(y[0, :, :, 0], RADIAL, rtol=1e-6)


def test_upfirdn2d_returns_reversed_filter_for_impulse_if_flipped():
    x = jnp.ones((1, 1, 1, 1))
    y = run(upfirdn2d, x, RADIAL, padding=(2, 2, 3, 3), flip_filter=True)
    np.testing.assert_allclose(y[0, :, :, 0], RADIAL[::-1, ::-1], rtol=1e-6)


def test_upfirdn2d_is_identity_without_filter():
    x = image(2, 3, 4, 2)
    np.testing.assert_array_equal(upfirdn2d(jnp.asarray(x), None), x)


def test_upfirdn2d_applies_gain_once_for_one_dimensional_filter():
    x = jnp.ones((1, 20, 20, 1))
    np.testing.assert_allclose(run(upfirdn2d, x, F12, gain=3.0), 3.0, rtol=1e-6)


def test_upfirdn2d_pads_by_axis_for_pair():
    x = jnp.asarray(image(1, 5, 5, 1))
    y = run(upfirdn2d, x, F4, padding=(1, 2))
    np.testing.assert_array_equal(y, run(upfirdn2d, x, F4, padding=(1, 1, 2, 2)))


def test_upfirdn2d_keeps_bfloat16():
    x = jnp.asarray(image(1, 6, 6, 2), jnp.bfloat16)
    assert run(upfirdn2d, x, F4, up=2, padding=(2, 1, 2, 1)).dtype == jnp.bfloat16


@pytest.mark.parametrize("case", ["up", "twelve_taps_down", "radial_up_three_down_two"])
def test_transpose_of_upfirdn2d_satisfies_inner_product(case):
    f, options = CASES[case]
    function = functools.partial(upfirdn2d, f=f, **options)
    x = jnp.asarray(image(1, 9, 7, 2))

    @jax.jit
    def products(x):
        y, pull_back = jax.vjp(function, x)
        other = jnp.cos(jnp.arange(y.size, dtype=x.dtype)).reshape(y.shape)
        return jnp.sum(y * other), jnp.sum(x * pull_back(other)[0])

    forward, backward = products(x)
    np.testing.assert_allclose(forward, backward, rtol=1e-4)


@pytest.mark.parametrize("f", [F4, RADIAL])
def test_second_derivative_of_upfirdn2d_equals_closed_form(f):
    x, v = jnp.asarray(image(1, 6, 6, 1)), jnp.asarray(image(1, 6, 6, 1)[::-1, ::-1])
    function = functools.partial(upfirdn2d, f=f, up=2, padding=(2, 1, 2, 1))

    @jax.jit
    def both(x, v):
        # The Hessian of sum(y^4) / 12 is A^T diag(y^2) A.
        gradient = jax.grad(lambda x: jnp.sum(function(x) ** 4) / 12)
        twice = jax.grad(lambda x: jnp.sum(gradient(x) * v))(x)
        y, pull_back = jax.vjp(function, x)
        return twice, pull_back(y**2 * function(v))[0]

    twice, expected = both(x, v)
    np.testing.assert_allclose(twice, expected, rtol=1e-4, atol=1e-6)


def test_forward_mode_of_upfirdn2d_is_upfirdn2d():
    x, v = jnp.asarray(image(2, 6, 6, 1))[:, None]
    function = functools.partial(upfirdn2d, f=F4, down=2)
    _, tangent = run(lambda x, v: jax.jvp(function, (x,), (v,)), x, v)
    np.testing.assert_array_equal(tangent, run(function, v))


def test_vmap_of_upfirdn2d_equals_stacking():
    x = jnp.asarray(image(3, 2, 6, 6, 1))
    function = functools.partial(upfirdn2d, f=F4, up=2, padding=(2, 1, 2, 1))
    expected = run(lambda x: jnp.stack([function(one) for one in x]), x)
    np.testing.assert_allclose(run(jax.vmap(function), x), expected, rtol=1e-6)


def test_upfirdn2d_raises_for_three_axes():
    with pytest.raises(ShapeError, match=r"`x` has shape \(4, 4, 1\)"):
        upfirdn2d(jnp.zeros((4, 4, 1)), F4)


def test_upfirdn2d_raises_where_filter_does_not_fit():
    with pytest.raises(ShapeError, match=r"3 samples, up 1, padding .* 4 taps"):
        upfirdn2d(jnp.zeros((1, 3, 8, 1)), F4)


def test_upfirdn2d_raises_for_three_paddings():
    with pytest.raises(ShapeError, match="`padding` is"):
        upfirdn2d(jnp.zeros((1, 8, 8, 1)), F4, padding=(1, 2, 3))


def test_upfirdn2d_raises_for_factor_zero():
    with pytest.raises(ShapeError, match="`up` is 0"):
        upfirdn2d(jnp.zeros((1, 8, 8, 1)), F4, up=0)


@pytest.mark.parametrize("f", [F4, setup_filter([1, 2, 1]), None])
@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_filter2d_keeps_size(f, size):
    assert output_size(filter2d, size, f) == size


@pytest.mark.parametrize("f", [F4, setup_filter([1, 2, 1]), None])
@pytest.mark.parametrize("factor", [2, 3])
def test_upsample2d_multiplies_size(f, factor):
    assert output_size(upsample2d, (5, 4), f, factor=factor) == (5 * factor, 4 * factor)


@pytest.mark.parametrize("f", [F4, setup_filter([1, 2, 1]), None])
@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_downsample2d_halves_size(f, size):
    assert output_size(downsample2d, size, f) == (size[0] // 2, size[1] // 2)


def test_filter2d_blurs_centre_of_constant_to_itself():
    y = run(filter2d, jnp.ones((1, 8, 8, 1)), F4, gain=2.0)
    np.testing.assert_allclose(y[:, 2:-1, 2:-1], 2.0, rtol=1e-6)


def test_upsample2d_keeps_brightness_inside():
    y = run(upsample2d, jnp.ones((1, 5, 5, 1)), F4)
    np.testing.assert_allclose(y[:, 1:-1, 1:-1], 1.0, rtol=1e-6)


def test_upsample2d_weights_neighbours_by_quarters():
    x = jnp.broadcast_to(jnp.asarray([0.0, 4.0, 8.0])[None, None, :, None], (1, 3, 3, 1))
    y = run(upsample2d, x, F4)
    np.testing.assert_allclose(y[0, 2, 1:5, 0], [1.0, 3.0, 5.0, 7.0], rtol=1e-6)


def test_downsample2d_weights_four_samples():
    x = jnp.broadcast_to(jnp.arange(6.0)[None, None, :, None], (1, 6, 6, 1))
    y = run(downsample2d, x, F4)
    np.testing.assert_allclose(y[0, 1, 1, 0], (1 * 1 + 3 * 2 + 3 * 3 + 1 * 4) / 8, rtol=1e-6)


def test_setup_filter_is_normalized_outer_product_for_few_taps():
    expected = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    np.testing.assert_array_equal(F4, expected.astype(np.float32))


def test_setup_filter_stays_one_dimensional_from_eight_taps():
    assert setup_filter(np.ones(8)).shape == (8,)


def test_setup_filter_puts_root_of_gain_into_one_dimensional_filter():
    np.testing.assert_allclose(setup_filter(np.ones(8), gain=4.0).sum(), 2.0)


def test_setup_filter_reverses_if_flipped():
    f = setup_filter([1, 2, 5], normalize=False, flip=True, separable=True)
    np.testing.assert_array_equal(f, [5, 2, 1])


def test_setup_filter_is_float32():
    assert F4.dtype == np.float32


def test_setup_filter_raises_for_separable_matrix():
    with pytest.raises(ShapeError, match="separable=True requires"):
        setup_filter(np.ones((3, 3)), separable=True)


def test_setup_filter_raises_without_taps():
    with pytest.raises(ShapeError, match=r"shape \(0,\)"):
        setup_filter([])


def test_bands_of_a_filter_that_is_no_outer_product_are_refused():
    with pytest.raises(ShapeError, match="separable"):
        resampling_bands((9, 7), RADIAL, dtype=jnp.float32)
