"""Modules read parameters that they have, and create those that they have not."""

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from sfe_jax.nn.parametric import ParametricModule

drawn = []
"""Shapes that were asked of the initialiser."""


def initialiser(key, shape):
    drawn.append(shape)
    return jnp.full(shape, 2.0)


class Scale(ParametricModule):
    """Multiplies by a parameter."""

    @nn.compact
    def __call__(self, x):
        return x * self.param("scale", initialiser, (x.shape[-1],))


def test_missing_parameter_is_initialised():
    y, variables = Scale().init_with_output(jax.random.key(0), jnp.ones(3))
    assert variables["params"]["scale"].tolist() == [2, 2, 2]
    assert y.tolist() == [2, 2, 2]


def test_present_parameter_is_read_without_its_initialiser():
    drawn.clear()
    y = Scale().apply({"params": {"scale": jnp.full(3, 5.0)}}, jnp.ones(3))
    assert y.tolist() == [5, 5, 5]
    assert not drawn


def test_parameter_of_another_shape_is_refused():
    with pytest.raises(flax.errors.ScopeParamShapeError, match="scale"):
        Scale().apply({"params": {"scale": jnp.ones(4)}}, jnp.ones(3))


def test_parameter_that_is_not_given_is_missed():
    with pytest.raises(flax.errors.ScopeParamNotFoundError, match="scale"):
        Scale().apply({"params": {"bias": jnp.ones(3)}}, jnp.ones(3))
