"""Linear and bilinear maps as primitives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.linear_maps import call, declare_bilinear, declare_linear, make_primitive
from sfe_jax.core.platforms import by_platform

SCALE = make_primitive("scale", lambda x, factor: x * factor)
declare_linear(SCALE, lambda g, shape, factor: call(SCALE, g, plan=factor))

PRODUCT = make_primitive("product", lambda x, y: x @ y)
declare_bilinear(PRODUCT, lambda g, y: call(PRODUCT, g, y.T), lambda g, x: call(PRODUCT, x.T, g))

WHERE = make_primitive(
    "where", lambda x: by_platform(x, cpu=jnp.zeros_like, tpu=jnp.ones_like, default=jnp.sin)
)

X = jnp.arange(6.0).reshape(2, 3)
Y = jnp.arange(12.0).reshape(3, 4) / 7


def product(x, y):
    return call(PRODUCT, x, y)


def loss(function):
    """A scalar with derivatives of every order."""
    return lambda x, y: jnp.sum(jnp.sin(function(x, y)))


def near(a, b):
    jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-4, atol=1e-5), a, b)


def test_linear_map_takes_its_plan():
    near(call(SCALE, X, plan=3.0), 3 * X)


def test_slope_of_linear_map_is_its_adjoint():
    near(jax.grad(lambda x: jnp.sum(call(SCALE, x, plan=3.0) ** 2))(X), 18 * X)


@pytest.mark.parametrize(
    "derivative",
    [
        lambda f: jax.grad(f, (0, 1)),
        lambda f: jax.hessian(f, (0, 1)),
        lambda f: jax.jacfwd(jax.jacrev(f, 0), 1),
        lambda f: lambda x, y: jax.jvp(f, (x, y), (x + 1, y - 1))[1],
    ],
    ids=["reverse", "second", "mixed", "forward"],
)
def test_bilinear_map_has_the_derivatives_of_what_it_computes(derivative):
    near(derivative(loss(product))(X, Y), derivative(loss(jnp.matmul))(X, Y))


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_batches_of_maps_are_differentiated(axes):
    x, y = (jnp.stack([a, a + 1]) if axis == 0 else a for a, axis in zip((X, Y), axes, strict=True))
    slopes = [jax.vmap(jax.grad(loss(f), (0, 1)), axes)(x, y) for f in (product, jnp.matmul)]
    near(*slopes)


def test_map_is_computed_in_the_form_of_the_platform_of_its_call():
    with jax.default_device("tpu"):
        traced = jax.jit(lambda x: call(WHERE, x)).trace(X)
    text = traced.lower(lowering_platforms=("tpu",)).as_text()
    assert "dense<1.0" in text


def test_map_is_one_step_of_a_program():
    jaxpr = jax.make_jaxpr(jax.grad(loss(product), (0, 1)))(X, Y)
    assert str(jaxpr).count(" product[") == 3


def test_map_works_under_shard_map():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split, whole = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()
    run = jax.shard_map(
        jax.grad(loss(product)), mesh=mesh, in_specs=(split, whole), out_specs=split
    )
    near(run(X, Y), jax.grad(loss(jnp.matmul))(X, Y))
