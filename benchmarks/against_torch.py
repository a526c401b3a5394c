"""Compares our networks with plain PyTorch in one run: same weights, same inputs, float32.

Each contest first compares results: the largest difference over the largest value must stay below
2e-5, or nothing is timed. Then both are warmed up and run turn by turn. A ratio is PyTorch's time
over ours within one turn, so that a busy machine slows both; its median and range are given.

Example: python -m benchmarks.against_torch --repeats 9 -o benchmarks/TORCH.md
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from benchmarks.measuring.pages import page_path, print_page, write_page
from benchmarks.measuring.timing import Spread, alternate, processor_name, processors, spread
from sfe_jax.core.errors import OptionError, SfeError
from sfe_jax.core.memory import keep_freed_memory

TOLERANCE = 2e-5
"""Largest difference over the largest value: float32 roundings in another order."""

CONTESTS = ("generator", "edit", "inception16", "inception32")
"""What can be compared; a number is the pictures per call."""

OURS = "sfe_jax"
"""How our form is called in tables."""


class ParityError(SfeError):
    """Two implementations of the same mathematics differ by more than rounding."""


@dataclass(frozen=True)
class Row:
    """One contest against one form of PyTorch."""

    contest: str
    images: int  # Pictures per call.
    gflop: float  # Per call, of the plain mathematics.
    form: str  # Of PyTorch.
    error: float  # Largest difference over the largest value.
    ours_s: Spread  # Seconds per call.
    theirs_s: Spread  # Seconds per call.
    ratio: Spread  # Theirs over ours, turn by turn.


def relative_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference over the largest value of `theirs`; infinite if a number is not finite."""
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return float("inf")
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _checked_error(contest: Any, form: str, ours: np.ndarray, theirs: np.ndarray) -> float:
    error = relative_error(ours, theirs)
    if error > TOLERANCE:
        raise ParityError(
            f"{contest.name}: {OURS} and {form} differ by {error:.1e} of the largest value, above "
            f"{TOLERANCE:.0e}; find the difference before timing"
        )
    return error


def compare(contest: Any, *, repeats: int, rest_s: float = 0.3) -> list[Row]:
    """Compares results, then times.

    Args:
        contest: A `torch_reference.contests.Contest`.
        repeats: Turns after one warm-up.
        rest_s: Pause before each run.

    Returns:
        One row per form of PyTorch.

    Raises:
        ParityError: If results differ by more than rounding.
    """
    from benchmarks.torch_reference.contests import to_numpy

    expected = np.asarray(contest.ours())
    errors = {
        form: _checked_error(contest, form, expected, to_numpy(run()))
        for form, run in contest.theirs.items()
    }
    runs = alternate({OURS: contest.ours, **contest.theirs}, repeats=repeats, rest_s=rest_s)
    return [
        Row(
            contest.name,
            contest.images,
            contest.gflop,
            form,
            error,
            spread(runs[OURS]),
            spread(runs[form]),
            spread([theirs / own for theirs, own in zip(runs[form], runs[OURS], strict=True)]),
        )
        for form, error in errors.items()
    ]


def _per_image(times: Spread, images: int) -> str:
    """Milliseconds per picture with their range."""
    values = [1e3 * value / images for value in (times.median, times.least, times.most)]
    return "{:.0f} ({:.0f} to {:.0f})".format(*values)


def table(rows: Sequence[Row]) -> str:
    """Rows in Markdown."""
    lines = [
        "| what | pictures per call | GFLOP per picture | against | difference | "
        f"{OURS}, ms per picture | PyTorch, ms per picture | ratio |",
        "| --- " * 8 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row.contest} | {row.images} | {row.gflop / row.images:.1f} | {row.form} | "
            f"{row.error:.1e} | {_per_image(row.ours_s, row.images)} | "
            f"{_per_image(row.theirs_s, row.images)} | "
            f"**{row.ratio.median:.2f}** ({row.ratio.least:.2f} to {row.ratio.most:.2f}) |"
        )
    return "\n".join(lines)


def surroundings(torch_threads: int, *, memory_kept: bool) -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "memory_kept": memory_kept,
        "processor": processor_name(),
        "processors": processors(),
        "torch_threads": torch_threads,
        "python": sys.version.split()[0],
        "jax": jax.__version__,
        "torch": version("torch"),
    }


MEMORY = {
    False: "Memory as it comes: large arrays that are freed go back to the system.",
    True: "Both keep what they free, by `sfe_jax.core.memory.keep_freed_memory`.",
}
"""What the page says of memory, by whether it is kept."""


def page(rows: Sequence[Row], where: dict[str, Any], repeats: int) -> str:
    """The page in Markdown."""
    return f"""# Against plain PyTorch

By `python -m benchmarks.against_torch`: {repeats} turns after a warm-up, medians and ranges.
{where["processor"]}, {where["processors"]} processors; jax {where["jax"]} with as many threads,
torch {where["torch"]} with {where["torch_threads"]}. float32, random weights, same inputs.
{MEMORY[where["memory_kept"]]}

`difference`: the largest difference of the results over the largest value, at most {TOLERANCE}.
`ratio` is PyTorch's time over ours in the same turn: above 1 we are faster. The PyTorch form is
`benchmarks/torch_reference`: eager, no gradients, the operations of the originals without custom
kernels (grouped convolution of modulated weights, transposed convolution, depthwise low-pass).

{table(rows)}
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.against_torch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=9, help="turns after one warm-up")
    parser.add_argument("--only", nargs="+", choices=CONTESTS, default=CONTESTS, help="contests")
    parser.add_argument("--small", action="store_true", help="narrow networks, to try the program")
    parser.add_argument("--keep-memory", action="store_true", help="both keep what they free")
    parser.add_argument("--compile", action="store_true", help="let torch.compile enter too")
    parser.add_argument("-o", "--out", type=page_path, help="also write here, and JSON beside")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Measures, and writes what was asked for.

    Returns:
        The page in Markdown.

    Raises:
        OptionError: If torch is not installed, or this system cannot keep memory.
        ParityError: If results differ by more than rounding.
    """
    if importlib.util.find_spec("torch") is None:
        raise OptionError(
            "torch is not installed; its CPU build is needed: `pip install torch`, on Linux with "
            "`--index-url https://download.pytorch.org/whl/cpu`"
        )
    if options.keep_memory and not keep_freed_memory():
        raise OptionError("--keep-memory needs Linux with glibc; leave it out here")
    from benchmarks.torch_reference.contests import contests, threads

    rows = []
    for contest in contests(options.only, small=options.small, compiled=options.compile):
        rows += compare(contest, repeats=options.repeats)
        print(table(rows[-len(contest.theirs) :]), file=sys.stderr, flush=True)
    where = surroundings(threads(), memory_kept=options.keep_memory)
    text = page(rows, where, options.repeats)
    if options.out:
        write_page(options.out, text, {**where, "repeats": options.repeats, "rows": rows})
    return text


def main() -> None:
    """Measures and prints the page."""
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
