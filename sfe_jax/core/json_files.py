"""Reading JSON from outside: what is broken is an error of one line."""

import json
import math
from typing import Any, NoReturn

from sfe_jax.core.errors import FileFormatError


def _refuse(constant: str) -> NoReturn:
    """For NaN and Infinity, which `json` takes for numbers."""
    raise ValueError(f"{constant} is no finite number")


def _finite(digits: str) -> float:
    """A number; those too large for a float would be infinite."""
    return number if math.isfinite(number := float(digits)) else _refuse(digits[:40])


def parse_json(text: str | bytes, *, where: str, finite: bool = False) -> Any:
    """Reads JSON that may be broken, or nested deeper than Python can follow.

    Args:
        text: As text, or as bytes in UTF-8 (or 16, or 32).
        where: What holds it, for the message.
        finite: Whether NaN, Infinity and numbers beyond float64 are refused.

    Returns:
        Tables, lists, texts, numbers, truth values and None; which of them, the caller checks.

    Raises:
        FileFormatError: If it is no JSON, or not finite where it has to be.
    """
    hooks: dict[str, Any] = {"parse_constant": _refuse, "parse_float": _finite} if finite else {}
    try:
        return json.loads(text, **hooks)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{where}: is no JSON ({error}); mend it or get it again") from error
