"""Variables as flat dicts: "params/synthesis/b8/conv0/kernel" -> array, and back."""

import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from sfe_jax.core.errors import WeightsError
from sfe_jax.core.types import Variables


def flatten(variables: Variables) -> dict[str, Any]:
    """Path with slashes -> array."""
    return dict(flatten_dict(variables, sep="/"))


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested dicts that `flatten` flattened."""
    return unflatten_dict(dict(flat), sep="/")


def graft(
    variables: Variables, donor: Variables, part: str, place: str, *, where: str
) -> dict[str, Any]:
    """Variables with a part of another network's in the place of their own.

    Args:
        variables: Of the network that takes.
        donor: Of the network that gives.
        part: Regular expression of the whole path of every array that is taken.
        place: Where it comes to lie, with groups of `part`.
        where: The donor's name, for errors.

    Raises:
        WeightsError: If nothing matches, or `variables` have no array of that name and shape.
    """
    flat, moved = flatten(variables), {}
    for path, array in flatten(donor).items():
        if match := re.fullmatch(part, path):
            name = match.expand(place)
            if name not in flat or np.shape(flat[name]) != np.shape(array):
                raise WeightsError(
                    f"{where}: {path} has shape {np.shape(array)}, which {name} of the network to "
                    "train has not; choose the recipe's sizes to match"
                )
            moved[name] = array
    if not moved:
        raise WeightsError(f"{where}: no array of {part}")
    return unflatten({**flat, **moved})


def apply(module: nn.Module, variables: Variables, *arguments: Any, **options: Any) -> Any:
    """`module.apply`, whose result has the type of the method that runs.

    Args:
        module: Any Flax module.
        variables: Its variables.
        *arguments: Of the method.
        **options: Of the method; and `method`, its name, and `rngs`.
    """
    return module.apply(variables, *arguments, **options)
