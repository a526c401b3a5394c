"""What a kind of official file is, and what one file gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sfe_jax.edits.direction import Direction
from sfe_jax.pipelines.bundle import Network
from sfe_jax.readers import Record


@dataclass(frozen=True)
class Converted:
    """What one file gives."""

    kind: str  # A name of `table.KINDS`.
    networks: dict[str, Network] = field(default_factory=dict)  # By role.
    directions: dict[str, np.ndarray] = field(default_factory=dict)  # By name.
    lacks_average: tuple[str, ...] = ()  # Encoders trained from an average that the file lacks.
    records: tuple[Direction, ...] = ()  # Fitted directions of a bundle of ours.


@dataclass(frozen=True)
class Kind:
    """A kind of official file."""

    name: str  # As given to --kind.
    what: str  # One line for listings.
    matches: Callable[[Any], bool]  # Whether a file's content is of this kind.
    convert: Callable[[Any, str], Converted]  # Content and file name to networks.


def is_state(content: Any, *keys: str) -> bool:
    """Whether `content` is a state dict that holds all of `keys`."""
    return isinstance(content, Mapping) and all(key in content for key in keys)


def inner_state(content: Any, *keys: str) -> bool:
    """Whether `content["state_dict"]` holds all of `keys`."""
    return is_state(content, "state_dict") and is_state(content["state_dict"], *keys)


def convert_pickle(content: Any, where: str, converters: Mapping) -> dict[str, Network]:
    """Networks by role of a pickle.

    Args:
        content: Name in the pickle -> record.
        where: File, for messages.
        converters: Name in the pickle -> role, and a function of record and place to a network.
    """
    networks = {}
    for name, (role, convert) in converters.items():
        if isinstance(content.get(name), Record):
            networks[role] = convert(content[name], f"{where}: {name}")
    if "generator" not in networks:  # Some community files keep only the raw generator.
        networks["generator"] = networks.pop("generator_training")
    return networks
