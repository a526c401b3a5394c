from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.convolution import (
    PATCH_PIXELS,
    PRODUCT_CHANNELS,
    RESAMPLE_FILTER,
    WINOGRAD_CHANNELS,
    WINOGRAD_PRODUCTS,
    convolve,
    dilated_transposed_convolve,
    downsample_convolve,
    kernel_by_products,
    patch_convolve,
    phased_transposed_convolve,
    pointwise_convolve,
    same_convolve,
    strided_convolve,
    transposed_convolve,
    upsample_convolve,
    winograd_convolve,
)
from tests.compiling import jit
from tests.lowering import lowered
from tests.reference import convolution as reference


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_near(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def scalar_of(function):
    """A scalar that is not linear in what `function` gives, so that second slopes are not zero."""
    return lambda *arguments: jnp.sum(jnp.sin(function(*arguments)))


def first_slopes(function):
    return jax.grad(scalar_of(function), argnums=(0, 1))


def second_slopes(function):
    """Slopes of the squared norm of the slopes: reverse mode over reverse mode, as in R1."""

    def norm(x, kernel):
        return sum(jnp.sum(jnp.square(slope)) for slope in first_slopes(function)(x, kernel))

    return jax.grad(norm, argnums=(0, 1))


def turned_slopes(function):
    """How the slopes change along the arguments: forward mode over reverse mode."""
    return lambda *arguments: jax.jvp(first_slopes(function), arguments, arguments)[1]


def test_resample_filter_is_binomial():
    np.testing.assert_allclose(RESAMPLE_FILTER, reference.F4, rtol=1e-7)


# Same size.


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolve_equals_definition(size, stride):
    x, kernel = draw(2, 5, 8, 3), draw(size, size, 3, 4)
    assert_near(convolve(x, kernel, stride=stride), reference.same(x, kernel, stride))


@pytest.mark.parametrize("stride", [1, 2])
def test_pointwise_equals_definition(stride):
    x, kernel = draw(2, 5, 8, 3), draw(1, 1, 3, 4)
    assert_near(pointwise_convolve(x, kernel, stride=stride), reference.same(x, kernel, stride))


@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (2, 5, 7, 6), (3, 1, 2, 1)])
def test_winograd_equals_definition(shape):
    x, kernel = draw(*shape), draw(3, 3, shape[3], 5)
    assert_near(jit(winograd_convolve)(x, kernel), reference.same(x, kernel))


def test_winograd_stays_near_direct_form_in_bfloat16():
    x, kernel = draw(1, 8, 8, 32), draw(3, 3, 32, 16)
    y = jit(winograd_convolve)(jnp.asarray(x, jnp.bfloat16), jnp.asarray(kernel, jnp.bfloat16))
    assert_near(np.asarray(y, np.float32), reference.same(x, kernel), tolerance=0.03)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (1, 1, 2, 3)])
def test_patches_equal_definition(shape, stride):
    x, kernel = draw(*shape), draw(3, 3, 3, 4)
    y = jit(partial(patch_convolve, stride=stride))(x, kernel)
    assert_near(y, reference.same(x, kernel, stride))


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("shape", [(1, 3), (3, 1)])
def test_rectangular_kernel_is_a_square_one_with_zeros(shape, size):
    x, kernel = draw(2, size, size, 3), draw(*shape, 3, 4)
    square = np.zeros((3, 3, 3, 4), np.float32)
    row, column = (slice((3 - taps) // 2, (3 + taps) // 2) for taps in shape)
    square[row, column] = kernel
    assert_near(jit(convolve)(x, kernel), reference.same(x, square))


SELECTED = {
    "patches": ((1, 2, PATCH_PIXELS // 2, 3), (3, 3, 3, 2)),
    "pointwise": ((1, 5, PATCH_PIXELS, 3), (1, 1, 3, 2)),
    "direct": ((1, 5, PATCH_PIXELS, 3), (3, 3, 3, 2)),
    "winograd": (
        (1, 64, WINOGRAD_PRODUCTS // WINOGRAD_CHANNELS**2 // 64, WINOGRAD_CHANNELS),
        (3, 3, WINOGRAD_CHANNELS, WINOGRAD_CHANNELS),
    ),
}
"""Shapes for which `convolve` takes each form on CPU."""


@pytest.mark.parametrize("form", SELECTED)
def test_convolve_equals_definition_where_form_is_chosen(form):
    x, kernel = (draw(*shape) for shape in SELECTED[form])
    assert_near(jit(convolve)(x, kernel), reference.same(x, kernel))


@pytest.mark.parametrize("form", SELECTED)
def test_platform_selects_form_by_shape(form):
    text = str(jax.make_jaxpr(convolve)(*(draw(*shape) for shape in SELECTED[form])))
    products = {"patches": 1, "pointwise": 1, "direct": 0, "winograd": 16}
    assert text.count("dot_general[") == products[form]


BY_PLATFORM = {
    "packed": (convolve, (3, 3, 32, 16), {"tpu": "3x3x128x64", "gpu": "3x3x32x16"}),
    "not packed": (
        partial(convolve, pack=False),
        (3, 3, 32, 16),
        {"tpu": "3x3x32x16", "gpu": "3x3x32x16"},
    ),
    "wide": (convolve, (3, 3, 32, 128), {"tpu": "3x3x32x128", "gpu": "3x3x32x128"}),
    "up": (upsample_convolve, (3, 3, 32, 16), {"tpu": "3x3x32x64", "gpu": "3x3x32x16"}),
    "down": (downsample_convolve, (3, 3, 32, 16), {"tpu": "3x3x128x16", "gpu": "3x3x32x16"}),
}
"""Function, kernel, and the kernel of the convolution that a platform runs, for 64x64 pixels."""


@pytest.mark.parametrize("platform", ["tpu", "gpu"])
@pytest.mark.parametrize("name", BY_PLATFORM)
def test_platform_runs_the_stated_kernel(name, platform):
    function, shape, kernels = BY_PLATFORM[name]
    x, kernel = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((1, 64, 64, 32), shape))
    text = lowered(function, x, kernel, platform=platform)
    (line,) = (line for line in text.splitlines() if "stablehlo.convolution" in line)
    assert f"tensor<{kernels[platform]}xf32>" in line


@pytest.mark.parametrize("size", [1, 3])
def test_upsampling_of_few_pixels_is_not_folded_on_tpu(size):
    x, kernel = jnp.zeros((1, 4, 4, 32)), jnp.zeros((size, size, 32, 16))
    text = lowered(upsample_convolve, x, kernel, platform="tpu")
    assert f"tensor<{size}x{size}x32x16xf32>" in text
    assert "tensor<3x3x32x64xf32>" not in text


def test_colours_are_computed_as_planes_on_tpu():
    x, kernel = jnp.zeros((1, 64, 64, 32)), jnp.zeros((1, 1, 32, 3))
    assert "tensor<1x12x32x32xf32>" in lowered(convolve, x, kernel, platform="tpu")


def test_picture_is_read_as_planes_on_tpu():
    x, kernel = jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 1, 3, 32))
    assert "tensor<1x12x32x32xf32>" in lowered(convolve, x, kernel, platform="tpu")


def test_convolve_subsamples_outputs_of_stride_one():
    x, kernel = draw(1, 7, 6, 3), draw(3, 3, 3, 2)
    assert_near(convolve(x, kernel, stride=2), convolve(x, kernel)[:, ::2, ::2])


@pytest.mark.parametrize("shape", [(4, 4, 3), (1, 4, 4, 2)], ids=["three_axes", "channels"])
def test_convolve_refuses_other_shape(shape):
    with pytest.raises(ShapeError, match="needs 4 axes and 3 channels"):
        convolve(jnp.zeros(shape), jnp.zeros((3, 3, 3, 1)))


# Transposed.


@pytest.mark.parametrize("form", [dilated_transposed_convolve, phased_transposed_convolve])
@pytest.mark.parametrize("shape", [(2, 4, 3, 5), (1, 1, 1, 2)])
def test_transposed_convolve_scatters_kernel(form, shape):
    x, kernel = draw(*shape), draw(3, 3, shape[3], 4)
    assert_near(form(x, kernel), reference.transposed(x, kernel))


def test_transposed_convolve_places_kernel_unflipped_for_impulse():
    kernel = draw(3, 3, 1, 1)
    y = phased_transposed_convolve(jnp.ones((1, 1, 1, 1)), kernel)
    np.testing.assert_allclose(y[0], kernel[:, :, 0], rtol=1e-6)


# Resampled.


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (1, 3, 5, 3)])
def test_upsample_convolve_equals_composition(size, shape):
    x, kernel = draw(*shape), draw(size, size, 3, 4)
    assert_near(jit(upsample_convolve)(x, kernel), reference.upsample(x, kernel))


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (1, 4, 6, 3)])
def test_downsample_convolve_equals_composition(size, shape):
    x, kernel = draw(*shape), draw(size, size, 3, 4)
    assert_near(jit(downsample_convolve)(x, kernel), reference.downsample(x, kernel))


@pytest.mark.parametrize("resampled", [upsample_convolve, downsample_convolve])
def test_resampled_convolve_keeps_brightness_inside(resampled):
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[1, 1] = 1
    inside = jit(resampled)(jnp.ones((1, 12, 12, 1)), kernel)[0, 3:-3, 3:-3, 0]
    np.testing.assert_allclose(inside, 1, rtol=1e-6)


# Slopes. The platform selects a form; the plain form must have the same slopes.


def plain_upsample(x, kernel):
    y = dilated_transposed_convolve(x, kernel)
    n, height, width, channels = y.shape
    y = jnp.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0))).transpose(0, 3, 1, 2)
    y = y.reshape(n * channels, height + 2, width + 2, 1)
    f = jnp.asarray(reference.F4 * 4, jnp.float32)[:, :, None, None]
    y = jax.lax.conv_general_dilated(
        y, f, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y.reshape(n, channels, height - 1, width - 1).transpose(0, 2, 3, 1)


def plain_convolve(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def assert_equal_slopes(slopes, form, plain, x_shape, kernel_shape):
    fan_in = np.prod(kernel_shape[:3])
    x, kernel = draw(*x_shape), draw(*kernel_shape, seed=1) / np.sqrt(fan_in, dtype=np.float32)
    actual, expected = (jit(slopes(f))(x, kernel) for f in (form, plain))
    jax.tree.map(partial(assert_near, tolerance=3e-5), actual, expected)


FORMS = {
    "upsample": (upsample_convolve, plain_upsample),
    "winograd": (winograd_convolve, plain_convolve),
    "patches": (patch_convolve, plain_convolve),
    "same": (same_convolve, plain_convolve),
}


@pytest.mark.parametrize("slopes", [first_slopes, second_slopes, turned_slopes])
@pytest.mark.parametrize("form", FORMS)
def test_slopes_equal_those_of_plain_form(form, slopes):
    assert_equal_slopes(slopes, *FORMS[form], (2, 3, 4, 2), (3, 3, 2, 3))


@pytest.mark.parametrize("form", ["patches", "winograd"])
def test_slopes_equal_those_of_plain_form_where_form_is_chosen(form):
    assert_equal_slopes(first_slopes, convolve, plain_convolve, *SELECTED[form])


SLOPES = {
    "wide": ((4, 32, 32, 128), (3, 3, 128, 128), 16),
    "large": ((1, 512, 512, 16), (3, 3, 16, 16), 16),
    "narrow": ((4, 32, 32, 64), (3, 3, 64, 64), 0),
    "few products": ((1, 16, 16, 128), (3, 3, 128, 128), 0),
    "colours": ((1, 512, 512, 3), (3, 3, 3, 16), 0),
}
"""Shapes of map and kernel, and the matrix products of the slope by the kernel on CPU."""


@pytest.mark.parametrize("name", SLOPES)
def test_kernel_gets_its_slope_in_winograds_form_by_shape(name):
    *shapes, products = SLOPES[name]
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    slope = jax.grad(scalar_of(convolve), argnums=1)
    assert lowered(slope, *arrays, platform="cpu").count("stablehlo.dot_general") == products


def test_kernel_by_products_equals_definition():
    x, y = draw(2, 3, 4, 2), draw(2, 7, 9, 3, seed=1)
    windows = np.lib.stride_tricks.sliding_window_view(y, (3, 3), axis=(1, 2))[:, ::2, ::2]
    assert_near(jit(kernel_by_products)(x, y), np.einsum("nhwi,nhwoab->abio", x, windows))


def test_wide_kernel_gets_its_slope_from_products_on_cpu():
    x, kernel = draw(1, 2, 3, PRODUCT_CHANNELS), draw(3, 3, PRODUCT_CHANNELS, PRODUCT_CHANNELS)
    slopes = lowered(first_slopes(transposed_convolve), x, kernel, platform="cpu")
    assert slopes.count("stablehlo.dot_general") == 9


def test_slopes_of_wide_transposed_convolution_equal_those_of_plain_form():
    shapes = (1, 2, 3, PRODUCT_CHANNELS), (3, 3, PRODUCT_CHANNELS, PRODUCT_CHANNELS)
    assert_equal_slopes(first_slopes, transposed_convolve, dilated_transposed_convolve, *shapes)


def _slopes(up, down, order: int):
    """Reverse derivatives of a scalar made of both convolutions, `order` times."""
    x = jnp.asarray(draw(2, 4, 4, 3))
    kernel, back = jnp.asarray(draw(3, 3, 3, 5)), jnp.asarray(draw(3, 3, 5, 2))

    def value(x, kernel, back):
        return jnp.sum(jnp.sin(down(jnp.tanh(up(x, kernel)), back)))

    function = value
    for _ in range(order):
        slope = jax.grad(function, argnums=(0, 1, 2))
        function = lambda *a, slope=slope: sum(jnp.sum(jnp.sin(s)) for s in slope(*a))  # noqa: E731
    return jax.jit(jax.grad(function, argnums=(0, 1, 2)))(x, kernel, back)


@pytest.mark.parametrize("order", [0, 1])
def test_slopes_of_resampled_convolutions_equal_those_of_plain_forms(order):
    def plain_down(y, kernel):
        return jax.lax.conv_general_dilated(
            y, kernel, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    ours = _slopes(transposed_convolve, strided_convolve, order)
    plain = _slopes(dilated_transposed_convolve, plain_down, order)
    for have, want in zip(ours, plain, strict=True):
        assert_near(have, want)


def test_transformed_kernels_of_a_network_are_not_held_together():
    """Those of six layers have 25 MB, those of one 4."""
    x = jax.ShapeDtypeStruct((1, 16, 16, 256), jnp.float32)
    kernels = jax.ShapeDtypeStruct((6, 3, 3, 256, 256), jnp.float32)

    def network(x, kernels):
        for kernel in kernels:
            x = winograd_convolve(x, kernel)
        return x

    compiled = jax.jit(network).lower(x, kernels).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 12e6
