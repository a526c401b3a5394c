"""Compares two forms of an operation, with their first and second slopes."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.compiling import jit

FLOAT32 = 2e-6
"""Of the largest value: sums of a few dozen products, in another order."""


def normal(*shape, seed=0, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def with_slopes(function, *arguments):
    """The value of a function, the slope of a sum of it, and the slope of a sum of that squared."""

    def total(*arguments):
        y = function(*arguments)
        return jnp.sum(jnp.sin(y) * normal(*y.shape, seed=1))

    every = tuple(range(len(arguments)))
    slopes = jax.grad(total, every)

    def power(*arguments):
        return sum(jnp.sum(jnp.square(slope)) for slope in slopes(*arguments))

    program = jit(lambda *a: (function(*a), slopes(*a), jax.grad(power, every)(*a)))
    return program(*arguments)


def assert_same(found, expected, *, tolerance=FLOAT32):
    """All leaves agree, within a share of each one's largest value.

    Some slopes are 0 because large terms cancel: they have a thousandth of the largest leaf's room.
    """
    named, wanted = jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected)
    wanted = [np.asarray(other, np.float64) for other in wanted]
    assert all(np.isfinite(other).all() for other in wanted)
    least = max(np.abs(other).max() for other in wanted) / 1000
    for (path, leaf), other in zip(named, wanted, strict=True):
        room = tolerance * np.abs(other).max(initial=least)
        name = jax.tree_util.keystr(path)
        np.testing.assert_allclose(
            np.asarray(leaf, np.float64), other, rtol=0, atol=room, err_msg=name
        )
