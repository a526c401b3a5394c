"""Tables of TOML as instances of dataclasses, strictly: no key too many, none too few."""

import dataclasses
import math
import types
import typing
from typing import Any, Literal, NoReturn

from sfe_jax.core.console import one_line
from sfe_jax.core.errors import FileFormatError

NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
}
"""What scalars of TOML are called in messages."""


def refuse(place: str, value: object, required: str) -> NoReturn:
    """Raises in one line.

    Args:
        place: File and key.
        value: What stands there.
        required: What must stand there.

    Raises:
        FileFormatError: Always.
    """
    try:
        shown = " ".join(repr(value).split())[:60]
    except ValueError:  # Python writes no numbers of thousands of digits.
        shown = "longer than can be shown"
    raise FileFormatError(f"{place} is {shown}; required is {required}")


def _below(place: str, name: object) -> str:
    """The place of a key in what stands at `place`: "FILE: steps", then "FILE: steps.1"."""
    name = one_line(str(name))  # TOML takes any text for a key.
    return f"{place} {name}" if place.endswith(":") else f"{place}.{name}"


def _scalar(kind: type, value: object, place: str) -> Any:
    """A text, a truth or a number; a whole number is taken for a float too."""
    if type(value) is int and value.bit_length() > 63:
        refuse(place, value, "a number of at most 63 bits, as TOML has them")
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        refuse(place, value, NAMES[kind])
    return value


def _sequence(kinds: tuple[Any, ...], value: object, place: str) -> tuple[Any, ...]:
    """A list, of any length where `kinds` ends in "..."."""
    if not isinstance(value, list):
        refuse(place, value, "a list")
    if kinds[-1] is ...:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        refuse(place, value, f"a list of {len(kinds)}")
    pairs = enumerate(zip(kinds, value, strict=True), start=1)
    return tuple(_convert(kind, item, _below(place, number)) for number, (kind, item) in pairs)


def _mapping(kind: Any, value: object, place: str) -> dict[str, Any]:
    """A table with any keys."""
    if not isinstance(value, dict):
        refuse(place, value, "a table")
    return {name: _convert(kind, item, _below(place, name)) for name, item in value.items()}


def _choice(kinds: tuple[Any, ...], value: object, place: str) -> Any:
    """What may be left out, T | None; or a table whose `do` chooses among classes."""
    if types.NoneType in kinds:
        return _convert(kinds[0], value, place)  # TOML has no null: what is written is a T.
    if not isinstance(value, dict):
        refuse(place, value, "a table")
    name = value.get("do")
    for kind in kinds:
        if kind.__name__.lower() == name:
            return build(kind, {key: x for key, x in value.items() if key != "do"}, place)
    known = ", ".join(kind.__name__.lower() for kind in kinds)
    refuse(_below(place, "do"), name, f"one of {known}")


def _convert(kind: Any, value: object, place: str) -> Any:
    """A value of TOML as a field of type `kind`."""
    parts, origin = typing.get_args(kind), typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return build(kind, value, place)
    if origin is types.UnionType:
        return _choice(parts, value, place)
    if origin is tuple:
        return _sequence(parts, value, place)
    if origin is dict:
        return _mapping(parts[1], value, place)
    if origin is Literal:
        return value if value in parts else refuse(place, value, f"one of {', '.join(parts)}")
    return _scalar(kind, value, place)


def build(cls: Any, table: object, place: str) -> Any:
    """A table as an instance of a dataclass.

    Fields may be scalars, T | None, tuples, Literals, dicts with keys of text, dataclasses, and
    unions of dataclasses, among which the key `do` of a table chooses by the class's name.

    Args:
        cls: The dataclass.
        table: As `tomllib` gives it.
        place: "FILE:", or the file and the key of the table, for messages.

    Raises:
        FileFormatError: If a key is unknown or missing, or a value of another type.
    """
    if not isinstance(table, dict):
        refuse(place, table, "a table")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in table:
        if name not in fields:
            raise FileFormatError(
                f"{_below(place, name)} is unknown; known are {', '.join(fields)}"
            )
    for name, field in fields.items():
        is_required = field.default is field.default_factory is dataclasses.MISSING
        if is_required and name not in table:
            raise FileFormatError(f"{_below(place, name)} is missing; required is a value")
    kinds = typing.get_type_hints(cls)
    return cls(**{name: _convert(kinds[name], x, _below(place, name)) for name, x in table.items()})
