"""Directions as text: what a file of fitted directions says about its arrays.

A bundle keeps this text in its metadata, beside the arrays `directions/NAME` that the rules read.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sfe_jax.core.errors import FileFormatError
from sfe_jax.core.json_files import parse_json
from sfe_jax.edits.direction import (
    MAPPER_LEVELS,
    Direction,
    GanSpace,
    Linear,
    Mapper,
    Rule,
    StyleSpace,
)

RULE_TYPES: dict[type[Rule], str] = {
    Linear: "linear",
    GanSpace: "ganspace",
    StyleSpace: "stylespace",
    Mapper: "mapper",
}
"""Names under which rules are written; they never change."""


def describe_direction(direction: Direction) -> dict[str, Any]:
    """Every field of a direction, ready for JSON."""
    rule = {"type": RULE_TYPES[type(direction.rule)], **dataclasses.asdict(direction.rule)}
    return {**dataclasses.asdict(direction), "rule": rule}


LARGEST = 3.4e38
"""Of numbers; float32 holds no larger ones."""


def _are_counts(*values: int) -> bool:
    """Whether all are whole numbers from 0; the truth values of JSON are none."""
    return all(type(value) is int and value >= 0 for value in values)


def _are_finite(*values: float | None) -> bool:
    """Whether all are numbers that float32 holds, or absent."""
    return all(
        value is None or (type(value) in (int, float) and abs(value) <= LARGEST) for value in values
    )


def _is_file_name(name: str) -> bool:
    """Whether results can be named so: it leads to no other folder."""
    return bool(name) and name not in (".", "..") and not {"/", "\\", "\0"} & set(name)


def _is_channel(pair: object) -> bool:
    """Whether it is the name of a layer and the number of a channel."""
    match pair:
        case [str(), int(channel)]:
            return _are_counts(channel)
    return False


def _are_levels(levels: list) -> bool:
    """Whether they are some levels of a mapper, in order."""
    return bool(levels) and levels == [level for level in MAPPER_LEVELS if level in levels]


def _build_rule(description: object) -> Rule | None:
    """The rule that `describe_direction` described; None if it is none of ours."""
    match description:
        case {
            "type": "linear",
            "array": str(array),
            "factor": float() | int() as factor,
        } if _are_finite(factor):
            return Linear(array, float(factor))
        case {
            "type": "ganspace",
            "array": str(array),
            "component": int(component),
            "start": int(start),
            "end": int(end),
        } if _are_counts(component, start, end) and start < end:
            return GanSpace(array, component, start, end)
        case {"type": "stylespace", "channels": list(channels)} if all(map(_is_channel, channels)):
            return StyleSpace(tuple((layer, channel) for layer, channel in channels))
        case {"type": "mapper", "array": str(array), "levels": [*levels]} if _are_levels(levels):
            return Mapper(array, tuple(levels))
    return None


def build_direction(description: object, where: str) -> Direction:
    """The direction that `describe_direction` described.

    Args:
        description: As read from JSON.
        where: The file, for messages.

    Raises:
        FileFormatError: If a field is missing, of another type, or out of bounds.
    """
    match description:
        case {
            "name": str(name),
            "method": str(method),
            "rule": rule,
            "low": None | float() | int() as low,
            "high": None | float() | int() as high,
            "positive": str(positive),
            "source": str(source),
        } if _is_file_name(name) and _are_finite(low, high) and (built := _build_rule(rule)):
            return Direction(name, method, built, low, high, positive, source)
    raise FileFormatError(
        f"{where}: {str(description)[:80]!r} describes no direction; required are name, method, "
        f"rule ({', '.join(RULE_TYPES.values())}), low, high, positive and source: fit it again "
        "with `sfe fit-directions`"
    )


def describe_directions(directions: Sequence[Direction]) -> str:
    """Directions as one JSON text."""
    return json.dumps([describe_direction(direction) for direction in directions])


def build_directions(text: str, where: str) -> tuple[Direction, ...]:
    """The directions that `describe_directions` described.

    Args:
        text: JSON.
        where: The file, for messages.

    Raises:
        FileFormatError: If the text is not JSON, or an entry no direction.
    """
    descriptions = parse_json(text, where=f"{where}: its list of directions")
    if not isinstance(descriptions, list):
        raise FileFormatError(f"{where}: its directions are no list; fit them again")
    return tuple(build_direction(description, where) for description in descriptions)


def recorded_directions(metadata: Mapping[str, str], where: str) -> tuple[Direction, ...]:
    """The fitted directions of a bundle, from its metadata alone; older bundles have none.

    Args:
        metadata: As `pipelines.bundle.read_metadata` gives it.
        where: The file, for messages.

    Raises:
        FileFormatError: If their list cannot be read.
    """
    return build_directions(metadata.get("directions", "[]"), where)
