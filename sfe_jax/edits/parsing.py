"""What users type: `smile=3`, `age=-5,0,5`, `blond hair=-8:8:5`."""

import math

from sfe_jax.core.errors import EditError

EXAMPLES = '"smile=3", "age=-5,0,5" or "blond hair=-8:8:5" (first:last:count)'
"""Shown with every refusal."""

MAX_COUNT = 1000
"""Most strengths a range may have; more is a slip of the keyboard."""


def _number(text: str) -> float:
    """A finite number."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _strengths(text: str) -> tuple[float, ...]:
    """A number, or `count` evenly spaced ones of "first:last:count"."""
    if ":" not in text:
        return (_number(text),)
    first, last, count = text.split(":")
    low, high, steps = _number(first), _number(last), int(count) - 1
    if not 1 <= steps < MAX_COUNT:
        raise ValueError(f"count {count} is not between 2 and {MAX_COUNT}")
    positions = (index / steps for index in range(steps + 1))
    return tuple(low * (1 - position) + high * position for position in positions)


def parse_edit(text: str) -> tuple[str, tuple[float, ...]]:
    """Splits an edit into its name and its strengths.

    Args:
        text: Name, "=", then strengths between commas; each is a number or first:last:count.

    Returns:
        The name without blanks around it, and at least one finite strength.

    Raises:
        EditError: If there is no name, or a strength is missing, not a number or not finite.
    """
    name, _, values = text.partition("=")
    try:
        strengths = tuple(value for part in values.split(",") for value in _strengths(part))
    except ValueError as error:
        raise EditError(
            f"edit `{text}` has strengths `{values}`; required are finite numbers, or ranges of "
            f"2 to {MAX_COUNT}; write {EXAMPLES}"
        ) from error
    if not name.strip():
        raise EditError(f"edit `{text}` has no name; write {EXAMPLES}")
    return name.strip(), strengths
