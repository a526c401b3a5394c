"""What users type: seeds `0-3,7`, seeds and files `0-3,faces.npy`, rows `0-6,8=0.5`."""

import math
import pathlib
import re

import numpy as np

from sfe_jax.core.errors import OptionError

MAX_SEEDS = 100_000
"""More seeds than this in one range are a slip of the keyboard."""

CODE_SUFFIXES = (".npy", ".npz", ".pt")
"""Of files that hold codes."""


def _ends(text: str) -> tuple[int, int] | None:
    """First and last of a number or a range such as "3-7"; None of any other text."""
    match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", text)
    return (int(match[1]), int(match[2] or match[1])) if match else None


def parse_seeds(text: str, *, option: str = "--seeds") -> list[int]:
    """Seeds such as 0-3,7: [0, 1, 2, 3, 7].

    Args:
        text: Numbers and ranges between commas.
        option: Name of the option, for messages.

    Raises:
        OptionError: If the text is anything else.
    """
    seeds: list[int] = []
    for part in text.split(","):
        ends = _ends(part)
        if ends is None:
            raise OptionError(f"{option} is {text!r}; write numbers and ranges such as 0-3,7")
        first, last = ends
        if last >= 2**32:
            raise OptionError(f"{option} has {part!r}; seeds are below {2**32}")
        if not first <= last < first + MAX_SEEDS:
            raise OptionError(f"{option} has {part!r}; a range goes up, by less than {MAX_SEEDS}")
        seeds.extend(range(first, last + 1))
    return seeds


def parse_sources(text: str, *, option: str) -> list[int | pathlib.Path]:
    """Where codes come from: seeds as in `parse_seeds`, and names of files, between commas.

    Raises:
        OptionError: If a part is neither.
    """
    sources: list[int | pathlib.Path] = []
    for part in text.split(","):
        if pathlib.Path(part.strip()).suffix.lower() in CODE_SUFFIXES:
            sources.append(pathlib.Path(part.strip()))
        elif _ends(part) is None:
            known = ", ".join(CODE_SUFFIXES)
            required = f"required are seeds such as 0-3, or files of codes ({known})"
            raise OptionError(f"{option} has {part!r}; {required}")
        else:
            sources.extend(parse_seeds(part, option=option))
    return sources


def _weight(text: str) -> float:
    """A finite number; 1 where none is written."""
    value = float(text or 1)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def parse_rows(text: str, num_ws: int, *, option: str = "--rows") -> np.ndarray:
    """Weights of the rows of W+: "0-2,4=0.5" of 6 rows is [1, 1, 1, 0, 0.5, 0].

    Args:
        text: Rows and ranges of rows between commas, each with "=" and a weight, or 1.
        num_ws: Rows L of the generator.
        option: Name of the option, for messages.

    Returns:
        float32 [L]; 0 for rows that are not named.

    Raises:
        OptionError: If the text is anything else, or names a row twice or one that is not there.
    """
    weights, seen = np.zeros(num_ws, np.float32), np.zeros(num_ws, bool)
    for part in text.split(","):
        name, _, value = part.partition("=")
        ends = _ends(name)
        try:
            weight = _weight(value.strip())
        except ValueError:
            ends = None
        if ends is None:
            raise OptionError(f"{option} has {part!r}; write rows such as 0-6,8 or 4-7=0.5")
        rows = slice(ends[0], ends[1] + 1)
        if not ends[0] <= ends[1] < num_ws:
            raise OptionError(
                f"{option} has {part!r}; this generator has rows 0 to {num_ws - 1}, and a range "
                "goes up"
            )
        if seen[rows].any():
            raise OptionError(f"{option} is {text!r}, which names a row twice; name each once")
        weights[rows], seen[rows] = weight, True
    return weights
