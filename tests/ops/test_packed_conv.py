from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.ops.convolution import (
    RESAMPLE_FILTER,
    composed_downsample,
    composed_upsample,
    convolve,
)
from sfe_jax.ops.packed_conv import (
    folded_downsample,
    folded_upsample,
    packed_convolve,
    paint,
    read_picture,
)
from tests.compiling import jit
from tests.reference import convolution as reference

SKEW = np.outer([1, 2, 3, 4], [2, 1, 5, 1]).astype(np.float32) / 90
"""A filter without any symmetry."""

TANGLED = SKEW + np.eye(4, dtype=np.float32) / 9
"""A filter that is no outer product."""


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_near(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("size", [1, 3])
def test_packed_convolve_equals_definition(size):
    x, kernel = draw(2, 4, 6, 3), draw(size, size, 3, 5)
    assert_near(jit(packed_convolve)(x, kernel), reference.same(x, kernel))


@pytest.mark.parametrize("f", [RESAMPLE_FILTER, SKEW, TANGLED], ids=["binomial", "skew", "tangled"])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (1, 3, 5, 2), (1, 1, 1, 2)])
def test_folded_upsample_equals_its_steps(shape, size, f):
    x, kernel = draw(*shape), draw(size, size, shape[3], 5)
    expected = jit(partial(composed_upsample, f=f))(x, kernel)
    assert_near(jit(partial(folded_upsample, f=f))(x, kernel), expected)


@pytest.mark.parametrize("f", [RESAMPLE_FILTER, SKEW, TANGLED], ids=["binomial", "skew", "tangled"])
@pytest.mark.parametrize("size", [1, 3])
def test_folded_downsample_equals_its_steps(size, f):
    x, kernel = draw(2, 4, 6, 3), draw(size, size, 3, 5)
    expected = jit(partial(composed_downsample, f=f))(x, kernel)
    assert_near(jit(partial(folded_downsample, f=f))(x, kernel), expected)


@pytest.mark.parametrize("shape", [(2, 6, 10, 12), (1, 64, 64, 12)], ids=["plain", "packed"])
def test_paint_equals_definition(shape):
    x, kernel = draw(*shape), draw(1, 1, 12, 3)
    assert_near(jit(paint)(x, kernel), reference.same(x, kernel))


def test_read_picture_equals_definition():
    x, kernel = draw(2, 4, 6, 3), draw(1, 1, 3, 12)
    assert_near(jit(read_picture)(x, kernel), reference.same(x, kernel))


def second_slopes(function):
    """Slopes of the squared norm of slopes, as in R1."""

    def norm(x, kernel):
        slopes = jax.grad(lambda *a: jnp.sum(jnp.sin(function(*a))), argnums=(0, 1))(x, kernel)
        return sum(jnp.sum(jnp.square(slope)) for slope in slopes)

    return jax.grad(norm, argnums=(0, 1))


PAIRS = {
    "up": (folded_upsample, composed_upsample),
    "down": (folded_downsample, composed_downsample),
    "same": (lambda *a, f: packed_convolve(*a), lambda *a, f: convolve(*a)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_second_slopes_of_form_equal_those_of_plain_steps(name):
    x, kernel = draw(1, 4, 4, 2), draw(3, 3, 2, 3, seed=1) / 4
    actual, expected = (
        jit(second_slopes(partial(form, f=RESAMPLE_FILTER)))(x, kernel) for form in PAIRS[name]
    )
    jax.tree.map(assert_near, actual, expected)
