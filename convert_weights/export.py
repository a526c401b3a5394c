"""The way back: a generator of ours as an official state dict.

The result is a safetensors file; `torch.load` is not needed to read it, and the original code takes
it with `load_state_dict(safetensors.torch.load_file(path), strict=False)`: the filters of the
resampling are constants that the original computes by itself.
"""

import pathlib

import numpy as np

from convert_weights.assemble import export_state
from convert_weights.name_maps.stylegan2 import (
    ada_generator_entries,
    rosinality_generator_entries,
)
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.bundle import Network, save_tensors

LAYOUTS = ("stylegan2-ada", "rosinality")
"""Official layouts that a generator can be written in."""


def _check_rosinality(module: Generator) -> None:
    """Raises if rosinality's code cannot hold the generator."""
    faults = {
        "labels": module.c_dim,
        f"the {module.architecture} architecture": module.architecture != "skip",
        "no noise": not module.use_noise,
        "z and W of different size": module.z_dim != module.w_dim,
        "hidden layers of another size than W": module.mapping_features not in (None, module.w_dim),
        f"{module.image_channels} channels of colour": module.image_channels != 3,
    }
    for what, present in faults.items():
        if present:
            raise WeightsError(f"rosinality's generator cannot have {what}; use stylegan2-ada")


def _with_one_average(network: Network) -> Network:
    """`network` with an average code [W], as both layouts keep it.

    Raises:
        WeightsError: If its average differs between the rows of W+.
    """
    flat = flatten(network.variables)
    rows = np.atleast_2d(np.asarray(flat["buffers/mapping/w_avg"]))
    if (rows != rows[0]).any():
        raise WeightsError(
            "the generator's average code differs between the rows of W+; the official layouts "
            "hold one code: convert the generator from a file whose latent_avg is one"
        )
    flat["buffers/mapping/w_avg"] = rows[0]
    return Network(network.module, unflatten(flat))


def export_generator(network: Network, layout: str) -> dict[str, np.ndarray]:
    """Official key -> array.

    Args:
        network: A StyleGAN2 generator.
        layout: A name of `LAYOUTS`. rosinality's average code is added as `latent_avg`.

    Raises:
        WeightsError: If the layout is unknown or cannot hold this network.
    """
    module = network.module
    if not isinstance(module, Generator):
        name = f"{type(module).__module__.rpartition('.')[2]}.{type(module).__name__}"
        raise WeightsError(f"{name} cannot be exported; required is StyleGAN2's generator")
    network = _with_one_average(network)
    if layout == "stylegan2-ada":
        return export_state(network.variables, ada_generator_entries(module))
    if layout != "rosinality":
        raise WeightsError(f"layout {layout!r} is unknown; choose from {', '.join(LAYOUTS)}")
    _check_rosinality(module)
    state = export_state(network.variables, rosinality_generator_entries(module))
    average = np.asarray(network.variables["buffers"]["mapping"]["w_avg"])
    return {**state, "latent_avg": average}


def write_generator(network: Network, layout: str, path: pathlib.Path) -> list[str]:
    """Writes `export_generator`'s result as safetensors.

    A clamp, which no array shows, stands in the metadata as `conv_clamp`.

    Returns:
        Notes for the user.

    Raises:
        WeightsError: As `export_generator`, or if the file cannot be written.
    """
    clamp = getattr(network.module, "conv_clamp", None)
    state = export_generator(network, layout)
    save_tensors(path, state, {} if clamp is None else {"conv_clamp": f"{clamp:g}"})
    if layout == "rosinality" and clamp is not None:
        return [
            f"rosinality's generator has no clamp: pictures differ where a layer's output exceeds "
            f"{clamp:g}, which only half precision is known to reach"
        ]
    return []
