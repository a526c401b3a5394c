"""Fields of networks as files describe them: of the declared type, and within bounds.

A description may come from anybody, and its network is traced before its arrays are compared with
it. What would take forever is therefore refused here.
"""

import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from sfe_jax.core.errors import WeightsError

LARGEST_SIZE = 65_536
"""Channels, sizes of codes, classes or pixels a side; published networks stay below 10,000."""

MOST_LAYERS = 128
"""Layers, blocks or entries of a list; published networks have at most 60."""

COUNTS = frozenset(
    {"depths", "mapping_layers", "num_critical", "num_layers", "num_styles", "num_units"}
)
"""Fields that count layers or blocks; all other whole numbers are sizes."""

LONGEST_TEXT = 200
"""Characters of a name."""


def is_of_type(value: Any, kind: Any, *, most: int) -> bool:
    """Whether a value can be a field of type `kind`, with whole numbers from 0 to `most`."""
    parts, origin = typing.get_args(kind), typing.get_origin(kind)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        is_short = isinstance(value, tuple | list) and len(value) <= MOST_LAYERS
        return is_short and all(is_of_type(item, parts[0], most=most) for item in value)
    if origin is types.UnionType:
        return any(is_of_type(value, part, most=most) for part in parts)
    if kind is int:
        return type(value) is int and 0 <= value <= most
    if kind is float:
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    if kind is str:
        return isinstance(value, str) and len(value) <= LONGEST_TEXT
    return type(value) is kind


def requirement(kind: Any, *, most: int) -> str:
    """What `is_of_type` requires, in words."""
    parts, origin = typing.get_args(kind), typing.get_origin(kind)
    if origin is Literal:
        return f"one of {', '.join(parts)}"
    if origin is tuple:
        return f"a list of at most {MOST_LAYERS}, each {requirement(parts[0], most=most)}"
    if origin is types.UnionType:
        return " or ".join(requirement(part, most=most) for part in parts)
    words = {
        bool: "true or false",
        int: f"a whole number from 0 to {most}",
        float: "a finite number",
        str: f"a text of at most {LONGEST_TEXT} characters",
        types.NoneType: "null",
    }
    return words[kind]


def check_fields(cls: type, fields: Mapping[str, object], where: str) -> None:
    """Raises unless the fields of a module are of their types and within bounds.

    Args:
        cls: Of the module; its fields are scalars, Literals of text, tuples of any length of
            these, and unions with None.
        fields: Name -> value, as read from JSON or of a module; each a field of `cls`.
        where: File and network, for messages.

    Raises:
        WeightsError: For the first that is not.
    """
    kinds = typing.get_type_hints(cls)
    for name, value in fields.items():
        most = MOST_LAYERS if name in COUNTS else LARGEST_SIZE
        if not is_of_type(value, kinds[name], most=most):
            raise WeightsError(
                f"{where}: {name} is {repr(value)[:60]}; required is "
                f"{requirement(kinds[name], most=most)}: convert it again"
            )
