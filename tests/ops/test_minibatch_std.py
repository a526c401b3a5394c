import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.minibatch_std import EPSILON, minibatch_std
from tests.compiling import jit
from tests.reference import minibatch_std as reference


def batch(n, channels=6):
    return np.random.default_rng(0).standard_normal((n, 3, 2, channels)).astype(np.float32)


@pytest.mark.parametrize(("group_size", "num_channels"), [(4, 1), (2, 3), (8, 2)])
def test_minibatch_std_equals_definition(group_size, num_channels):
    x = batch(8)
    y = minibatch_std(jnp.asarray(x), group_size=group_size, num_channels=num_channels)
    expected = reference.minibatch_std(x.astype(np.float64), group_size, num_channels)
    np.testing.assert_allclose(y, expected, atol=1e-6)


@pytest.mark.parametrize("group_size", [4, None])
def test_minibatch_std_groups_whole_batch_for_few_samples(group_size):
    x = batch(3)
    y = minibatch_std(jnp.asarray(x), group_size=group_size)
    np.testing.assert_allclose(y, reference.minibatch_std(x, 3, 1), atol=1e-6)


def test_minibatch_std_is_root_of_epsilon_for_equal_samples():
    y = minibatch_std(jnp.ones((4, 2, 2, 3)))
    np.testing.assert_allclose(y[..., 3], 1e-4, rtol=1e-6)


def test_minibatch_std_strides_groups():
    # Samples 0 and 2 are equal, 1 and 3 are not: the second group alone varies, by 5.
    x = jnp.broadcast_to(jnp.asarray([7.0, 0.0, 7.0, 10.0])[:, None, None, None], (4, 1, 1, 1))
    y = minibatch_std(x, group_size=2)
    np.testing.assert_allclose(y[:, 0, 0, 1], [1e-4, 5, 1e-4, 5], rtol=1e-5)


def test_minibatch_std_keeps_bfloat16():
    assert minibatch_std(jnp.ones((4, 2, 2, 3), jnp.bfloat16)).dtype == jnp.bfloat16


def test_gradient_of_minibatch_std_is_finite_for_equal_samples():
    gradient = jax.grad(lambda x: jnp.sum(minibatch_std(x)))(jnp.ones((4, 2, 2, 3)))
    assert np.isfinite(gradient).all()


def test_derivatives_of_minibatch_std_are_those_of_the_definition():
    """On a CPU the mean of the deviations has a rule of its own."""

    def defined(x):
        deviation = jnp.sqrt(jnp.var(x.reshape(2, 2, -1), axis=0) + EPSILON)
        return jnp.mean(deviation, axis=1)  # Of two strided groups of two.

    def slope(statistic):
        return lambda x: jax.grad(lambda x: jnp.sum(jnp.sin(statistic(x))))(x)

    def found(x):
        return minibatch_std(x, group_size=2)[:2, 0, 0, -1]

    x = jnp.asarray(batch(4))
    for order in (slope, lambda f: jax.grad(lambda x: jnp.sum(jnp.square(slope(f)(x))))):
        ours, expected = jit(lambda x, order=order: [order(f)(x) for f in (found, defined)])(x)
        np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_minibatch_std_raises_for_incomplete_group():
    with pytest.raises(ShapeError, match="6 samples; required is a multiple of the group size 4"):
        minibatch_std(jnp.zeros((6, 2, 2, 3)))


def test_minibatch_std_raises_for_indivisible_channels():
    with pytest.raises(ShapeError, match="3 channels; required is a multiple of 2"):
        minibatch_std(jnp.zeros((4, 2, 2, 3)), num_channels=2)


def test_minibatch_std_raises_for_two_axes():
    with pytest.raises(ShapeError, match="`x` has shape"):
        minibatch_std(jnp.zeros((4, 3)))
