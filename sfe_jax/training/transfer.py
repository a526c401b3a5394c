"""Weights of a released network as the beginning of a training."""

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten, graft, unflatten
from sfe_jax.core.types import Variables
from sfe_jax.pipelines.bundle import Bundle


def take_over(variables: Variables, donor: Variables, *, role: str) -> Variables:
    """The donor's variables, which must be those of the network to train, name by name.

    Args:
        variables: Of the network to train.
        donor: Of the network that it begins as.
        role: The donor's, for errors.

    Raises:
        WeightsError: If a name is missing on either side, or an array has another shape.
    """
    lacking = sorted(flatten(variables).keys() - flatten(donor).keys())
    if lacking:
        raise WeightsError(
            f"{role}: {len(lacking)} arrays of the network to train are missing, the first is "
            f"{lacking[0]}; choose the recipe's sizes to match"
        )
    return graft(variables, donor, "(.*)", r"\1", where=role)


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
