import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.cuda import filtered
from sfe_jax.core.errors import ShapeError
from sfe_jax.ops import filtered_lrelu as xla
from sfe_jax.ops.upfirdn2d import setup_filter
from tests.benchmarks.cuda.comparing import assert_same, normal, with_slopes

F3, F6, F12 = (setup_filter(np.hanning(taps + 2)[1:-1]) for taps in (3, 6, 12))
RADIAL = setup_filter(np.cos(np.hypot(*np.mgrid[-2.5:3, -2.5:3]) / 4))

CASES = {
    "as_in_stylegan3_t": (
        (2, 11, 9, 6),
        {"up_filter": F12, "down_filter": F12, "up": 2, "down": 2, "padding": (9, 8, 10, 9)},
    ),
    "radial_in_several_tiles": (
        (1, 26, 23, 4),
        {"up_filter": F6, "down_filter": RADIAL, "up": 2, "down": 2, "padding": (4, 3, 5, 4)},
    ),
    "critical_with_bound": (
        (1, 9, 8, 3),
        {
            "up_filter": F12,
            "down_filter": F6,
            "up": 4,
            "down": 2,
            "padding": (10, 9, 8, 11),
            "clamp": 0.4,
            "slope": 0.1,
            "gain": 1.7,
        },
    ),
    "no_filter": ((1, 5, 6, 2), {}),
    "cropped_same_size": (
        (1, 9, 8, 5),
        {"up_filter": F3, "down_filter": F3, "padding": (-1, 2, 3, -1)},
    ),
    "up_three_down_five": (
        (1, 13, 14, 4),
        {"up_filter": F6, "down_filter": F3, "up": 3, "down": 5, "padding": (5, 7, 8, 6)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_filtered_lrelu_and_its_slopes_equal_xla(kernels, case):
    shape, options = CASES[case]
    x, bias = normal(*shape), normal(shape[-1], seed=1)
    found, expected = (
        with_slopes(lambda x, b, form=form: form(x, b, **options), x, bias)
        for form in (filtered.filtered_lrelu, xla.filtered_lrelu)
    )
    assert_same(found, expected)


def test_filtered_lrelu_rounds_once_in_bfloat16(kernels):
    shape, options = CASES["as_in_stylegan3_t"]
    x = normal(*shape, dtype=jnp.bfloat16)
    found = filtered.filtered_lrelu(x, **options)
    single = filtered.filtered_lrelu(x.astype(jnp.float32), **options)
    np.testing.assert_array_equal(
        found.astype(jnp.float32), single.astype(jnp.bfloat16).astype(jnp.float32)
    )


def test_slope_in_bfloat16_is_that_of_float32_rounded(kernels):
    shape, options = CASES["as_in_stylegan3_t"]
    x = normal(*shape, dtype=jnp.bfloat16)
    y, pull_back = jax.vjp(lambda x: filtered.filtered_lrelu(x, **options), x)
    _, exact = jax.vjp(lambda x: filtered.filtered_lrelu(x, **options), x.astype(jnp.float32))
    g = normal(*y.shape, seed=1, dtype=jnp.bfloat16)
    expected = exact(g.astype(jnp.float32))[0].astype(jnp.bfloat16)
    np.testing.assert_array_equal(pull_back(g)[0].astype(jnp.float32), expected.astype(jnp.float32))


def test_slope_is_zero_where_the_bound_holds(kernels):
    x = jnp.full((1, 4, 4, 4), 9.0)
    slope = jax.grad(lambda x: filtered.filtered_lrelu(x, clamp=1.0).sum())(x)
    assert not slope.any()


def test_filtered_lrelu_without_derivative_keeps_no_signs(kernels):
    program = jax.jit(filtered.filtered_lrelu).lower(normal(1, 4, 4, 4)).as_text()
    assert "sfe_filtered_forward" in program
    assert "sfe_filtered_keeping_signs" not in program


def test_filtered_lrelu_refuses_a_bias_of_another_size():
    with pytest.raises(ShapeError, match="`bias` has shape"):
        filtered.filtered_lrelu(normal(1, 4, 4, 4), normal(3))
