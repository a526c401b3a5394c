"""Weights of a released network as the beginning of another's training."""

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.core.types import Variables
from sfe_jax.pipelines.bundle import Bundle


def transfer(variables: Variables, source: Bundle, roles: tuple[str, ...]) -> Variables:
    """Variables with every array that the first held role of `source` has under the same name.

    Args:
        variables: Of the network to train.
        source: Bundle to transfer from.
        roles: In the order in which they are looked for.

    Raises:
        WeightsError: If the source has none of the roles, or an array of another shape.

    Source: stylegan2-ada-pytorch, torch_utils/misc.py (copy_params_and_buffers).
    """
    role = next((name for name in roles if name in source.networks), roles[-1])
    have, need = flatten(source.network(role).variables), flatten(variables)
    shared = sorted(have.keys() & need.keys())
    for name in shared:
        if np.shape(have[name]) != np.shape(need[name]):
            raise WeightsError(
                f"{source.path}: {role}/{name} has shape {np.shape(have[name])}, the network to "
                f"train needs {np.shape(need[name])}; choose the recipe's sizes to match"
            )
    if not shared:
        raise WeightsError(f"{source.path}: {role} shares no array with the network to train")
    return unflatten({**need, **{name: jnp.asarray(have[name]) for name in shared}})
