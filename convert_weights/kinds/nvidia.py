"""StyleGAN2 and 3 as NVIDIA pickles them in PyTorch, and the state dicts of their networks.

A pickle is {"G": module, "D": module, "G_ema": module, ...}; the discriminator of either is
StyleGAN2's.
"""

from collections.abc import Mapping
from typing import Any

from convert_weights.kinds.kind import Converted, Kind, convert_pickle, is_state
from convert_weights.kinds.network import network
from convert_weights.name_maps import stylegan2, stylegan3
from sfe_jax.core.errors import WeightsError
from sfe_jax.pipelines.bundle import Network
from sfe_jax.readers import Record, init_arguments, module_attribute, module_tensors


def _is_nvidia(content: Any, key: str) -> bool:
    """Whether `content` is an official pickle whose generator has the tensor `key`."""
    if not isinstance(content, Mapping):
        return False
    generator = content.get("G_ema", content.get("G"))
    return isinstance(generator, Record) and key in module_tensors(generator)


def _ada_generator(record: Record, where: str) -> Network:
    """A pickled generator. The clamp stands on its layers, whatever the default was."""
    clamp: Any = module_attribute(record, "synthesis.b4.conv1", "conv_clamp")
    build, entries = stylegan2.ada_generator, stylegan2.ada_generator_entries
    return network(module_tensors(record), build, entries, where, conv_clamp=clamp)


def _ada_discriminator(record: Record, where: str) -> Network:
    """A pickled discriminator, with the clamp and the group that stand on its layers."""
    settings: dict[str, Any] = {
        "conv_clamp": module_attribute(record, "b4.conv", "conv_clamp"),
        "group_size": module_attribute(record, "b4.mbstd", "group_size"),
    }
    build, entries = stylegan2.ada_discriminator, stylegan2.ada_discriminator_entries
    return network(module_tensors(record), build, entries, where, **settings)


ADA_NETWORKS = {
    "G_ema": ("generator", _ada_generator),
    "G": ("generator_training", _ada_generator),
    "D": ("discriminator", _ada_discriminator),
}
"""Role and converter of every network of an official pickle."""


def _convert_ada(content: Any, where: str) -> Converted:
    return Converted("stylegan2-ada", convert_pickle(content, where, ADA_NETWORKS))


def _convert_ada_generator(content: Any, where: str) -> Converted:
    """A state dict; our own export writes the clamp, which no array shows, in its metadata."""
    clamp = content.get("__metadata__", {}).get("conv_clamp")
    build, entries = stylegan2.ada_generator, stylegan2.ada_generator_entries
    net = network(
        content, build, entries, where, conv_clamp=None if clamp is None else float(clamp)
    )
    return Converted("stylegan2-ada-generator", {"generator": net})


def _convert_ada_discriminator(content: Any, where: str) -> Converted:
    build, entries = stylegan2.ada_discriminator, stylegan2.ada_discriminator_entries
    return Converted(
        "stylegan2-ada-discriminator", {"discriminator": network(content, build, entries, where)}
    )


def _stylegan3_generator(record: Record, where: str) -> Network:
    """A pickled generator, with the settings that it was made with."""
    try:
        settings = stylegan3.settings(init_arguments(record))
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error
    build, entries = stylegan3.generator, stylegan3.generator_entries
    return network(module_tensors(record), build, entries, where, **settings)


STYLEGAN3_NETWORKS = {
    "G_ema": ("generator", _stylegan3_generator),
    "G": ("generator_training", _stylegan3_generator),
    "D": ("discriminator", _ada_discriminator),
}
"""Role and converter of every network of an official pickle."""


def _convert_stylegan3(content: Any, where: str) -> Converted:
    return Converted("stylegan3", convert_pickle(content, where, STYLEGAN3_NETWORKS))


def _convert_stylegan3_generator(content: Any, where: str) -> Converted:
    net = network(content, stylegan3.generator, stylegan3.generator_entries, where)
    return Converted("stylegan3-generator", {"generator": net})


KINDS = (
    Kind(
        "stylegan2-ada",
        "stylegan2-ada-pytorch or stylegan3 pickle of StyleGAN2: G_ema, G and D",
        lambda c: _is_nvidia(c, "synthesis.b4.const"),
        _convert_ada,
    ),
    Kind(
        "stylegan3",
        "stylegan3 pickle of StyleGAN3: G_ema, G and D",
        lambda c: _is_nvidia(c, "synthesis.input.freqs"),
        _convert_stylegan3,
    ),
    Kind(
        "stylegan2-ada-generator",
        "state dict of a stylegan2-ada-pytorch generator",
        lambda c: is_state(c, "synthesis.b4.const"),
        _convert_ada_generator,
    ),
    Kind(
        "stylegan2-ada-discriminator",
        "state dict of a stylegan2-ada-pytorch discriminator",
        lambda c: is_state(c, "b4.out.weight", "b8.conv0.weight"),
        _convert_ada_discriminator,
    ),
    Kind(
        "stylegan3-generator",
        "state dict of a stylegan3 generator",
        lambda c: is_state(c, "synthesis.input.freqs"),
        _convert_stylegan3_generator,
    ),
)
"""Pickles, then state dicts."""
