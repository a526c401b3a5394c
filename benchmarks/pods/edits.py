"""The full edit of StyleFeatureEditor as shapes alone, to be compiled for any machine."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from sfe_jax.edits.operands import identity
from sfe_jax.pipelines.editor import METHOD_ROLES
from sfe_jax.pipelines.methods import SfeMethod
from sfe_jax.pipelines.random_bundle import abstract_networks


def abstract_edit(
    modules: Mapping[str, nn.Module], *, pictures: int, precision: str = "float32"
) -> tuple[Callable[..., jax.Array], tuple[Any, ...]]:
    """A function that inverts and edits pictures, and the shapes that it takes.

    Args:
        modules: By role; those of the method "sfe" are used.
        pictures: Edited together.
        precision: Of the activations of all networks: "float32" or "bfloat16".

    Returns:
        The function of variables, pictures [N, R, R, 3] in [-1, 1] and strengths [N], which gives
        pictures [N, R, R, 3]; and shapes of the three.
    """
    networks = abstract_networks({role: modules[role] for role in METHOD_ROLES["sfe"]})
    chosen: dict[str, Any] = {role: network.module for role, network in networks.items()}
    chosen["generator"] = chosen["generator"].clone(precision=precision)
    method = SfeMethod(**chosen)
    side, operands = method.generator.resolution, identity(**method.generator.code_sizes)

    def run(variables: Any, images: jax.Array, strengths: jax.Array) -> jax.Array:
        return method.edit(variables, method.invert(variables, images), operands, strengths)

    variables = {role: network.variables for role, network in networks.items()}
    images = jax.ShapeDtypeStruct((pictures, side, side, 3), jnp.float32)
    return run, (variables, images, jax.ShapeDtypeStruct((pictures,), jnp.float32))
