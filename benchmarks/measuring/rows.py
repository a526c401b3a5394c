"""What every section of the report is made of: rows of figures, one per form of a case."""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

OURS = "XLA, ours"
"""How our form is called where forms are compared by time."""


@dataclass(frozen=True)
class Options:
    """How a section measures."""

    repeats: int  # Timed runs of each form, after the warm-up.
    quick: bool  # Tiny shapes: for tests and a first look.
    originals: pathlib.Path | None  # A checkout of stylegan2-ada-pytorch or stylegan3.
    workdir: pathlib.Path  # For temporary files.
    only: tuple[str, ...] = ()  # Parts of the names of cases to be measured; none means all.

    def chooses(self, case: str) -> bool:
        """Whether a case of this name is to be measured."""
        return not self.only or any(text in case for text in self.only)


@dataclass(frozen=True)
class Row:
    """One form of one case."""

    case: str  # What is done, with shapes and types: "bias_act, 8x256x256x64, bfloat16, forward".
    form: str  # Who does it: "XLA, ours", "XLA, plain", "CUDA, ours", "PyTorch, eager".
    figures: Mapping[str, float]  # Name with unit -> value: "ms", "GFLOP/s", "compile s".
    note: str = ""  # One sentence where a figure needs one; why a form is missing.


@dataclass(frozen=True)
class Section:
    """One table of the report."""

    title: str
    text: str  # Says how it was measured and how to read it.
    rows: tuple[Row, ...]
