"""Kinds of reference cases that training needs: the optimiser and the augmentation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import erfinv

from sfe_jax.augment.ada import apply_augmentation
from sfe_jax.augment.parameters import GATES, NORMALS, UNIFORMS, Variates, parameters_from
from sfe_jax.augment.pipeline import PIPELINES, Pipeline
from sfe_jax.optim.ranger import ranger as ranger_optimizer
from tests.golden.reader import Case


def ranger(case: Case) -> dict[str, np.ndarray]:
    """Parameters after each step on the loss that the case describes."""
    hwio = lambda w: jnp.asarray(w.transpose(2, 3, 1, 0))  # noqa: E731
    target = hwio(case.inputs["target"])
    factors = 1 + jnp.arange(target.shape[-1], dtype=jnp.float32)[None, None, None]
    optimizer = ranger_optimizer(case.config["learning_rate"])

    def loss(params):
        squares = jnp.sum(jnp.square(params["w"] - target) * factors)
        return squares + jnp.sum(jnp.abs(params["b"] ** 3))

    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    @jax.jit
    def run(params):
        start = (params, optimizer.init(params))
        return jax.lax.scan(step, start, length=case.config["steps"])[1]

    steps = run({"w": hwio(case.inputs["w0"]), "b": jnp.asarray(case.inputs["b0"])})
    return {"w": np.asarray(steps["w"]).transpose(0, 4, 3, 1, 2), "b": np.asarray(steps["b"])}


def percentile_augmentation(x: jax.Array, q: jax.Array, pipeline: Pipeline) -> jax.Array:
    """Every transform fires, at quantile `q` of its distribution.

    The original's debug option takes erfinv(2q - 1) as normal value, which is the quantile over
    sqrt 2, and leaves the second rotation out.
    """
    full = lambda names, value: jnp.full((x.shape[0], len(names)), value)  # noqa: E731
    variates = Variates(full(GATES, 0.0), full(UNIFORMS, q), full(NORMALS, erfinv(2 * q - 1)))
    parameters = parameters_from(variates, 1.0, pipeline=pipeline)
    still = jnp.zeros_like(parameters.rotation_after)
    return apply_augmentation(x, parameters._replace(rotation_after=still), pipeline=pipeline)


def ada_augment(case: Case) -> dict[str, np.ndarray]:
    """Pictures for each recorded "transform/q0.x"."""
    x = jnp.asarray(case.inputs["x"].transpose(0, 2, 3, 1))
    run = jax.jit(percentile_augmentation, static_argnums=2)
    outputs = {}
    for key in case.outputs:
        name, _, q = key.partition("/q")
        pipeline = PIPELINES[name] if name in PIPELINES else Pipeline(**{name: 1.0})
        outputs[key] = np.asarray(run(x, jnp.float32(q), pipeline)).transpose(0, 3, 1, 2)
    return outputs
