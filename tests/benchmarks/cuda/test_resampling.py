import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.cuda.resampling import upfirdn2d
from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.upfirdn2d import setup_filter
from sfe_jax.ops.upfirdn2d import upfirdn2d as xla
from tests.benchmarks.cuda.comparing import FLOAT32, normal
from tests.compiling import jit
from tests.reference import upfirdn2d as reference

F4 = setup_filter([1, 3, 3, 1])
F12 = setup_filter([-1, 2, 0, 5, 9, 12, 11, 8, 4, 1, -2, 1])
RADIAL = setup_filter(np.arange(12.0).reshape(4, 3) ** 2)

CASES = {
    "plain": (F4, {"padding": (1, 2, 3, 0)}),
    "up": (F4, {"up": (2, 2), "padding": (2, 1, 2, 1), "gain": 4.0}),
    "down": (F4, {"down": (2, 2), "padding": (1, 1, 1, 1)}),
    "up_four_down_two_cropped": (F12, {"up": (4, 4), "down": (2, 2), "padding": (-1, 12, 9, -2)}),
    "two_factors": (F4, {"up": (3, 1), "down": (2, 3), "padding": (3, 0, 1, 2)}),
    "more_phases_than_taps": (F4[:2, :2], {"up": (5, 3), "padding": (1, 0, 2, 0)}),
    "radial_up": (RADIAL, {"up": (2, 4), "padding": (1, 1, 2, 1)}),
    "radial_up_three_down_two": (RADIAL, {"up": (3, 3), "down": (2, 2), "padding": (0, 2, 3, -2)}),
}


def expected(x, f, **options):
    full = np.outer(f, f) if f.ndim == 1 else f
    return reference.upfirdn2d(np.asarray(x, np.float64), full.astype(np.float64), **options)


@pytest.mark.parametrize("case", CASES)
def test_upfirdn2d_equals_definition(kernels, case):
    f, options = CASES[case]
    x = normal(2, 9, 7, 3)
    want = expected(x, f, **options)
    np.testing.assert_allclose(upfirdn2d(x, f, **options), want, atol=FLOAT32 * np.abs(want).max())


@pytest.mark.parametrize("case", ["plain", "up_four_down_two_cropped", "radial_up_three_down_two"])
def test_upfirdn2d_equals_xla_in_several_tiles(kernels, case):
    f, options = CASES[case]
    x = normal(1, 41, 37, 12)
    found, want = upfirdn2d(x, f, **options), jit(lambda x: xla(x, f, **options))(x)
    np.testing.assert_allclose(found, want, atol=FLOAT32 * float(jnp.abs(want).max()))


def test_upfirdn2d_correlates_with_flip(kernels):
    x, f = normal(1, 9, 7, 4), RADIAL
    want = expected(x, f[::-1, ::-1], padding=(1, 1, 2, 1))
    found = upfirdn2d(x, f, padding=(1, 1, 2, 1), flip_filter=True)
    np.testing.assert_allclose(found, want, atol=FLOAT32 * np.abs(want).max())


@pytest.mark.parametrize("case", CASES)
def test_derivative_is_the_adjoint(kernels, case):
    f, options = CASES[case]
    x = normal(1, 9, 7, 3)
    y, pull_back = jax.vjp(lambda x: upfirdn2d(x, f, **options), x)
    g = normal(*y.shape, seed=1)
    (dx,) = pull_back(g)
    assert float(jnp.vdot(dx, x)) == pytest.approx(float(jnp.vdot(g, y)), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_derivative_of_the_derivative_is_the_map_itself(kernels, case):
    f, options = CASES[case]
    x = normal(1, 9, 7, 3)
    y, pull_back = jax.vjp(lambda x: upfirdn2d(x, f, **options), x)
    _, forth = jax.vjp(lambda g: pull_back(g)[0], jnp.zeros_like(y))
    np.testing.assert_allclose(forth(x)[0], y, atol=FLOAT32 * float(jnp.abs(y).max()))


def test_upfirdn2d_rounds_once_in_bfloat16(kernels):
    x = normal(2, 9, 8, 16, dtype=jnp.bfloat16)
    found = upfirdn2d(x, F12, up=2, padding=(6, 5, 6, 5))
    single = upfirdn2d(x.astype(jnp.float32), F12, up=2, padding=(6, 5, 6, 5))
    np.testing.assert_array_equal(
        found.astype(jnp.float32), single.astype(jnp.bfloat16).astype(jnp.float32)
    )


def test_upfirdn2d_refuses_an_image_smaller_than_the_filter():
    with pytest.raises(ShapeError, match="too few for 12 taps"):
        upfirdn2d(normal(1, 4, 4, 1), F12)


def test_upfirdn2d_refuses_a_filter_that_no_block_can_hold(kernels):
    with pytest.raises(Exception, match="too long for the"):
        upfirdn2d(normal(1, 300, 300, 1), np.ones(200))
