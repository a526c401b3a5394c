"""Variables as flat dicts: "params/synthesis/b8/conv0/kernel" -> array, and back."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from sfe_jax.core.types import Variables


def flatten(variables: Variables) -> dict[str, Any]:
    """Path with slashes -> array."""
    return dict(flatten_dict(variables, sep="/"))


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested dicts that `flatten` flattened."""
    return unflatten_dict(dict(flat), sep="/")


def apply(module: nn.Module, variables: Variables, *arguments: Any, **options: Any) -> Any:
    """`module.apply`, whose result has the type of the method that runs.

    Args:
        module: Any Flax module.
        variables: Its variables.
        *arguments: Of the method.
        **options: Of the method; and `method`, its name, and `rngs`.
    """
    return module.apply(variables, *arguments, **options)
