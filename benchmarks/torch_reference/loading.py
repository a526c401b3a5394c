"""Carries the arrays of a Flax network to a PyTorch module whose children have the same names."""

# pyright: reportMissingImports=false

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sfe_jax.core.trees import flatten
from sfe_jax.core.types import Variables

TORCH_NAMES = {
    "kernel": "weight",
    "scale": "weight",
    "slope": "weight",
    "mean": "running_mean",
    "var": "running_var",
    "affine_kernel": "affine.weight",
    "affine_bias": "affine.bias",
}
"""What PyTorch calls an array, where Flax calls it otherwise."""

TORCH_AXES = {
    "const": (2, 0, 1),
    "kernel2": (1, 0),
    "kernel4": (3, 2, 0, 1),
    "affine_kernel": (1, 0),
}
"""Where PyTorch's axes lie in ours, by name and rank: HWC to CHW, IO to OI, HWIO to OIHW."""


def torch_name(path: str) -> str:
    """Name in PyTorch of the array "collection/module/.../array"."""
    *modules, name = path.split("/")[1:]
    modules = [module for module in modules if module != "linear"]  # Flax's layer inside ours.
    return ".".join([*modules, TORCH_NAMES.get(name, name)])


def torch_tensor(path: str, array: Any) -> Tensor:
    """The array as PyTorch lays it out, in memory of its own."""
    array, name = np.asarray(array), path.rpartition("/")[2]
    axes = TORCH_AXES.get(f"kernel{array.ndim}" if name == "kernel" else name)
    return torch.tensor(np.ascontiguousarray(array.transpose(axes) if axes else array))


def load(build: Callable[[], nn.Module], variables: Variables) -> Any:
    """Builds a module and fills it with our arrays.

    Args:
        build: Makes the module; called without memory for its parameters.
        variables: Of the Flax network.

    Returns:
        The module, in inference mode.

    Raises:
        RuntimeError: If a name or shape of either side is missing on the other.
    """
    with torch.device("meta"):
        module = build()
    arrays = flatten(variables).items()
    state = {torch_name(path): torch_tensor(path, array) for path, array in arrays}
    module.load_state_dict(state, strict=True, assign=True)
    return module.eval().requires_grad_(False)
