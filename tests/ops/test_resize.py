import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops import resize
from tests.lowering import pretend
from tests.reference import resize as reference

FUNCTIONS = (
    "resize_bilinear",
    "resize_bilinear_aligned",
    "resize_nearest",
    "adaptive_average_pool",
)


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", [(3, 4), (6, 2), (5, 8), (9, 13), (24, 24), (1, 1)])
def test_resize_equals_definition(name, size):
    x = image(2, 12, 8, 3)
    y = getattr(resize, name)(jnp.asarray(x), size)
    expected = getattr(reference, name)(x.astype(np.float64), size)
    np.testing.assert_allclose(y, expected, atol=3e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_resize_is_identity_for_same_size(name):
    x = image(1, 5, 7, 2)
    np.testing.assert_allclose(getattr(resize, name)(jnp.asarray(x), (5, 7)), x, rtol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", [4, 5])
def test_resize_keeps_bfloat16(name, size):
    assert getattr(resize, name)(jnp.zeros((1, 8, 8, 1), jnp.bfloat16), size).dtype == jnp.bfloat16


@pytest.mark.parametrize("name", FUNCTIONS)
def test_resize_raises_for_three_axes(name):
    with pytest.raises(ShapeError, match=r"`x` has shape \(8, 8, 3\)"):
        getattr(resize, name)(jnp.zeros((8, 8, 3)), 4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_resize_raises_for_size_zero(name):
    with pytest.raises(ShapeError, match=r"`size` is \(4, 0\)"):
        getattr(resize, name)(jnp.zeros((1, 8, 8, 3)), (4, 0))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_of_resize_sums_to_outputs(name):
    x = jnp.asarray(image(1, 6, 6, 1))
    gradient = jax.grad(lambda x: jnp.sum(getattr(resize, name)(x, 4)))(x)
    np.testing.assert_allclose(jnp.sum(gradient), 16, rtol=1e-5)


def test_resize_bilinear_is_mean_of_central_pixels_for_ratio_four():
    x = image(1, 16, 16, 1)
    expected = x.reshape(1, 4, 4, 4, 4, 1)[:, :, 1:3, :, 1:3].mean(axis=(2, 4))
    np.testing.assert_allclose(resize.resize_bilinear(jnp.asarray(x), 4), expected, atol=1e-6)


def test_resize_bilinear_weights_by_quarters_for_doubling():
    x = jnp.asarray([0.0, 4.0])[None, None, :, None]
    y = resize.resize_bilinear(x, (1, 4))
    np.testing.assert_allclose(y[0, 0, :, 0], [0, 1, 3, 4], atol=1e-6)


def test_resize_bilinear_aligned_is_linear_between_corners():
    x = jnp.asarray([0.0, 6.0])[None, None, :, None]
    y = resize.resize_bilinear_aligned(x, (1, 4))
    np.testing.assert_allclose(y[0, 0, :, 0], [0, 2, 4, 6], atol=1e-6)


def test_resize_bilinear_aligned_takes_first_pixel_for_size_one():
    x = image(1, 3, 5, 2)
    y = resize.resize_bilinear_aligned(jnp.asarray(x), 1)
    np.testing.assert_array_equal(y, x[:, :1, :1])


def test_resize_nearest_rounds_down():
    x = jnp.arange(5.0)[None, None, :, None]
    np.testing.assert_array_equal(resize.resize_nearest(x, (1, 3))[0, 0, :, 0], [0, 1, 3])


@pytest.mark.parametrize(
    ("length", "bins"),
    [
        (128, [(0, 43), (42, 86), (85, 128)]),
        (64, [(0, 22), (21, 43), (42, 64)]),
        (32, [(0, 11), (10, 22), (21, 32)]),
    ],
)
def test_adaptive_average_pool_overlaps_bins_for_thirds(length, bins):
    x = jnp.arange(float(length))[None, None, :, None]
    expected = [(start + stop - 1) / 2 for start, stop in bins]
    y = resize.adaptive_average_pool(x, (1, 3))
    np.testing.assert_allclose(y[0, 0, :, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sums_of_samples_on_gpu_give_the_same(name, monkeypatch):
    pretend(monkeypatch, "gpu")
    x = image(2, 12, 8, 3)
    run = functools.partial(getattr(resize, name), size=(5, 7))
    assert "dot_general" not in str(jax.make_jaxpr(run)(x))
    expected = getattr(reference, name)(x.astype(np.float64), (5, 7))
    np.testing.assert_allclose(run(jnp.asarray(x)), expected, atol=3e-6)


def test_adaptive_average_pool_is_plain_mean_for_ratio_four():
    x = image(1, 16, 8, 1)
    expected = x.reshape(1, 4, 4, 2, 4, 1).mean(axis=(2, 4))
    y = resize.adaptive_average_pool(jnp.asarray(x), (4, 2))
    np.testing.assert_allclose(y, expected, atol=1e-6)


@pytest.mark.parametrize("factor", [1, 2, 3, 6])
def test_reduce_bicubic_equals_definition(factor):
    x = image(2, 12, 18, 3)
    y = resize.reduce_bicubic(jnp.asarray(x), factor)
    expected = reference.reduce_bicubic(x.astype(np.float64), factor)
    np.testing.assert_allclose(y, expected, atol=3e-6)


def test_reduce_bicubic_by_one_has_the_four_taps_of_the_original():
    row = np.zeros((1, 8, 8, 1), np.float32)
    row[0, :, 4] = 1
    y = resize.reduce_bicubic(jnp.asarray(row), 1)
    np.testing.assert_allclose(y[0, 3, 2:7, 0], [-0.0625, 0.5625, 0.5625, -0.0625, 0], atol=1e-6)


@pytest.mark.parametrize("factor", [0, 5, 8])
def test_reduce_bicubic_raises_for_a_factor_that_does_not_fit(factor):
    with pytest.raises(ShapeError, match=f"`factor` {factor}; required is a factor"):
        resize.reduce_bicubic(jnp.zeros((1, 8, 8, 1)), factor)
