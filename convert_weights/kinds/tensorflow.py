"""StyleGAN and StyleGAN2 as NVIDIA's TensorFlow code pickles them.

A pickle is (G, D, Gs), Gs with averaged weights. The discriminators of StyleGAN, and of StyleGAN2's
configurations that grow, are left.
"""

from functools import partial
from typing import Any

from convert_weights.kinds.kind import Converted, Kind, convert_pickle
from convert_weights.kinds.network import network
from convert_weights.name_maps import stylegan1, tensorflow
from sfe_jax.core.errors import WeightsError
from sfe_jax.pipelines.bundle import Network
from sfe_jax.readers import (
    Record,
    is_tensorflow_network,
    network_arguments,
    network_function,
    network_variables,
)


def _tensorflow_networks(content: Any) -> dict[str, Record]:
    """The networks of a pickle by name; a network alone is Gs. Empty for other content."""
    if is_tensorflow_network(content):
        return {"Gs": content}
    networks = content if isinstance(content, tuple | list) and len(content) == 3 else ()
    named = zip(("G", "D", "Gs"), networks, strict=False)
    return {name: network for name, network in named if is_tensorflow_network(network)}


def _is_tensorflow(content: Any, key: str) -> bool:
    """Whether `content` is a TensorFlow pickle whose generator has the variable `key`."""
    networks = _tensorflow_networks(content)
    generator = networks.get("Gs", networks.get("G"))
    return generator is not None and key in network_variables(generator)


def _stylegan1_generator(record: Record, where: str) -> Network:
    arguments = network_arguments(record)
    entries = partial(stylegan1.generator_entries, fused=stylegan1.first_fused(arguments))
    build = partial(stylegan1.generator, arguments=arguments)
    return network(network_variables(record), build, entries, where)


def _tensorflow_generator(record: Record, where: str) -> Network:
    try:
        state = tensorflow.finished(network_variables(record))
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error
    build = partial(tensorflow.generator, arguments=network_arguments(record))
    return network(state, build, tensorflow.generator_entries, where)


def _tensorflow_discriminator(record: Record, where: str) -> Network:
    """A pickled discriminator; StyleGAN2's of 2019 has its group of 4 in its code alone."""
    group_size = 4 if network_function(record) == "D_stylegan2" else None
    arguments = network_arguments(record)
    build = partial(tensorflow.discriminator, arguments=arguments, group_size=group_size)
    return network(network_variables(record), build, tensorflow.discriminator_entries, where)


STYLEGAN1_NETWORKS = {
    "Gs": ("generator", _stylegan1_generator),
    "G": ("generator_training", _stylegan1_generator),
}
"""Role and converter of the networks of a StyleGAN pickle."""


TENSORFLOW_NETWORKS = {
    "Gs": ("generator", _tensorflow_generator),
    "G": ("generator_training", _tensorflow_generator),
    "D": ("discriminator", _tensorflow_discriminator),
}
"""The same of a StyleGAN2 pickle."""


def _convert_stylegan1(content: Any, where: str) -> Converted:
    networks = convert_pickle(_tensorflow_networks(content), where, STYLEGAN1_NETWORKS)
    return Converted("stylegan1", networks)


def _convert_tensorflow(content: Any, where: str) -> Converted:
    records = _tensorflow_networks(content)
    if "D" in records and "FromRGB_lod0/weight" in network_variables(records["D"]):
        del records["D"]
    networks = convert_pickle(records, where, TENSORFLOW_NETWORKS)
    return Converted("stylegan2-tensorflow", networks)


KINDS = (
    Kind(
        "stylegan1",
        "StyleGAN pickle of TensorFlow: Gs and G",
        lambda c: _is_tensorflow(c, "synthesis/4x4/Const/StyleMod/weight"),
        _convert_stylegan1,
    ),
    Kind(
        "stylegan2-tensorflow",
        "StyleGAN2 or stylegan2-ada pickle of TensorFlow: Gs, G, and D unless it grows",
        lambda c: _is_tensorflow(c, "synthesis/4x4/Conv/mod_weight"),
        _convert_tensorflow,
    ),
)
"""Pickles of either."""
