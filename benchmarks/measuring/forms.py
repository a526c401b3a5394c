"""Runs the forms of a case against each other: results first, then times, turn by turn.

A form whose result differs from the reference by more than the case allows is not timed. Every
turn draws inputs of its own, before the clock runs; all forms take the same, each turn beginning
with another form. What takes less than `RUN_S` is called several times in a run, on inputs that
differ. A form that is much slower than the others ends before them.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.fusions import read_fusions
from benchmarks.measuring.limits import Limits
from benchmarks.measuring.rows import OURS, Row
from benchmarks.measuring.timing import compile_apart, spread
from sfe_jax.core.errors import SfeError
from sfe_jax.core.types import Array

RUN_S = 0.003
"""Seconds that a run lasts at least, if `MOST_CALLS` reach so far."""

MOST_CALLS = 32
"""Calls in a run."""

POOL = 4
"""Different inputs among the calls of a run."""

BUDGET_S = 2.0
"""Seconds that the runs of a form may take together; it runs once at least."""

SLOW_S = 0.5
"""Seconds from which the run whose result was compared is all the warm-up."""

REST_S = 0.1
"""Pause between JAX and PyTorch, in which the threads of the one before go to sleep."""

MIB = 2**20

Arrays = tuple[Array, ...]


class MissingFormError(SfeError):
    """A form that cannot run here; the message says why."""


@dataclass(frozen=True)
class Built:
    """A form, ready to run."""

    library: str  # Whose threads it uses.
    prepare: Callable[[Arrays], Any]  # Fresh arrays -> its inputs, before the clock runs.
    run: Callable[[Any], Any]  # May return before the result is there.
    wait: Callable[[Any], Any]  # Until it is there.
    collect: Callable[[Any], list[np.ndarray]]  # Results in float32, NHWC and HWIO.
    figures: Mapping[str, float] = field(default_factory=dict)  # What compiling told.
    note: str = ""
    consumes: bool = False  # Whether `run` may write into its inputs, which then serve once.

    def prepared(self, pool: Sequence[Arrays], calls: int) -> list[Any]:
        """Inputs that are there, for so many calls; one of each kind if they can serve again."""
        count = calls if self.consumes else min(calls, len(pool))
        inputs = [self.prepare(pool[index % len(pool)]) for index in range(count)]
        self.wait(inputs)
        return inputs

    def seconds(self, inputs: Sequence[Any], calls: int) -> float:
        """Seconds per call."""
        start = time.perf_counter()
        results = [self.run(inputs[index % len(inputs)]) for index in range(calls)]
        self.wait(results)
        return (time.perf_counter() - start) / calls


Form = Callable[[Arrays], Built]
"""Builds a form for inputs like the given ones.

Raises:
    MissingFormError: If it cannot run here.
"""


def _worst(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], size: Callable[[np.ndarray], Any]
) -> float:
    """Size of the difference over that of the result, of the worst result."""

    def relative(a: np.ndarray, b: np.ndarray) -> float:
        if a.shape != b.shape or not np.isfinite(a).all():
            return math.inf
        b = np.asarray(b, np.float64)
        return float(size(a - b)) / (float(size(b)) or 1.0)

    return max(relative(a, b) for a, b in zip(found, expected, strict=True))


def difference(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Root of the squared differences over that of the squares, of the worst result.

    The largest difference would not do for slopes: where two roundings fall on either side of the
    kink of a leaky ReLU, they differ by their whole size, in a few places.
    """
    return _worst(found, expected, np.linalg.norm)


def largest_difference(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Largest difference over the largest value, of the worst result."""
    return _worst(found, expected, lambda x: np.abs(x).max())


@dataclass(frozen=True)
class Case:
    """One computation in all forms."""

    name: str  # With shapes, type and order.
    draw: Callable[[Array], Arrays]  # Key -> fresh inputs.
    forms: Mapping[str, Form]  # The order is that of the rows.
    # The form that is right, or a function that gives the results as they should be.
    reference: str | Callable[[Arrays], list[np.ndarray]]
    tolerance: float  # Largest `distance`.
    number: str  # A key of `limits.PRECISIONS`.
    gflop: float  # Of the plain mathematics.
    gigabytes: float  # Inputs and results, once each.
    images: int = 0  # Pictures per call; 0 where there are none.
    distance: Callable[..., float] = difference  # From (found, expected).


def as_float32(results: Any) -> list[np.ndarray]:
    """Arrays of a tree on the host."""
    leaves = jax.device_get(jax.tree.leaves(results))
    return [np.asarray(leaf, np.float32) for leaf in leaves]


def compiled_figures(compiled: Any, compile_s: float) -> tuple[dict[str, float], str]:
    """What a compiled program says of itself: time, memory, kernels, traffic.

    Returns:
        Figures, and a note on the kernels that were not fused.
    """
    figures = {"compile s": compile_s}
    if (memory := compiled.memory_analysis()) is not None:
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes
        peak = held + memory.temp_size_in_bytes - memory.alias_size_in_bytes
        figures |= {"temp MiB": memory.temp_size_in_bytes / MIB, "peak MiB": peak / MIB}
    fusions = read_fusions(compiled.as_text())
    figures |= {"kernels": fusions.kernels, "GB moved": fusions.moved / 1e9}
    return figures, f"Alone: {fusions}." if fusions.alone else ""


def jax_form(
    function: Callable,
    *,
    fixed: Sequence[Any] = (),
    compared: Callable[[Any], Any] = lambda x: x,
    donate: Sequence[int] = (),
) -> Form:
    """A form of JAX's.

    Args:
        function: Of `fixed` and the fresh inputs.
        fixed: What stays from call to call, such as weights.
        compared: Part of the results that is compared with other forms.
        donate: Numbers of the arguments in whose memory results may be written. Every call has
            copies of them, made before the clock runs.
    """

    def build(example: Arrays) -> Built:
        compiled, seconds = compile_apart(function, *fixed, *example, donate=donate)
        figures, note = compiled_figures(compiled, seconds)

        def prepare(arrays: Arrays) -> list[Any]:
            arguments = [*fixed, *arrays]
            for number in donate:
                arguments[number] = jax.tree.map(jnp.copy, arguments[number])
            return arguments

        return Built(
            library="JAX",
            prepare=prepare,
            run=lambda arguments: compiled(*arguments),
            wait=jax.block_until_ready,
            collect=lambda results: as_float32(compared(results)),
            figures=figures,
            note=note,
            consumes=bool(donate),
        )

    return build


def draws(draw: Callable[[Array], Arrays]) -> Callable[[int], Arrays]:
    """Compiles the drawing of inputs: number -> inputs, which are there."""
    key = partial(jax.random.key, impl="rbg")  # Quick to compile and to draw.
    program = jax.jit(draw).lower(key(0)).compile()
    return lambda number: jax.block_until_ready(program(key(number)))


@dataclass(frozen=True)
class Ready:
    """A form that gave the right result."""

    built: Built
    first_s: float  # Seconds of the run that gave it.
    result: list[np.ndarray]

    def warm_s(self, arrays: Arrays) -> float:
        """Seconds of another run, or of the first if that took long."""
        if self.first_s > SLOW_S:
            return self.first_s
        return self.built.seconds(self.built.prepared([arrays], 1), 1)


def _checked(
    case: Case, name: str, example: Arrays, expected: list | None
) -> tuple[Row, Ready | None]:
    """A form's row so far, and the form if it may be timed."""

    def said(note: str, figures: Mapping[str, float] | None = None) -> tuple[Row, None]:
        return Row(case.name, name, figures or {}, note), None

    try:
        built = case.forms[name](example)
        (inputs,) = built.prepared([example], 1)
        start = time.perf_counter()
        result = built.run(inputs)
        built.wait(result)
        seconds = time.perf_counter() - start
        found = built.collect(result)
    except MissingFormError as error:
        return said(str(error))
    # Of XLA's or PyTorch's compilers, out of memory, or of NVIDIA's modules about their inputs.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        return said(f"Failed: {type(error).__name__}: {reason[:200]}")
    apart = case.distance(found, expected or found)
    if not math.isfinite(apart):
        return said("Not timed: its result is not finite, or has another shape.", built.figures)
    figures = {**built.figures, "error": apart}
    if apart > case.tolerance:
        limit = f"{case.tolerance:.0e}"
        return said(f"Not timed: its result differs by {apart:.1e}, above {limit}.", figures)
    return Row(case.name, name, figures, built.note), Ready(built, seconds, found)


def take_turns(
    ready: Mapping[str, Ready], draw: Callable[[int], Arrays], *, repeats: int, budget_s: float
) -> dict[str, list[float]]:
    """Seconds per call of each form, run by run."""
    first = draw(1)
    warm = {name: form.warm_s(first) for name, form in ready.items()}
    forms = {name: form.built for name, form in ready.items()}
    calls = {name: max(1, min(MOST_CALLS, math.ceil(RUN_S / s))) for name, s in warm.items()}
    allowed = {name: max(1, int(budget_s / (s * calls[name]))) for name, s in warm.items()}
    runs: dict[str, list[float]] = {name: [] for name in forms}
    names, before = list(forms), ""
    for turn in range(repeats):
        pool = [draw(2 + POOL * turn + i) for i in range(min(POOL, max(calls.values())))]
        begin = turn % len(names)
        for name in names[begin:] + names[:begin]:
            if len(runs[name]) >= allowed[name]:
                continue
            built = forms[name]
            inputs = built.prepared(pool, calls[name])
            if before not in ("", built.library):
                time.sleep(REST_S)
            runs[name].append(built.seconds(inputs, calls[name]))
            before = built.library
    return runs


def ranged(name: str, values: Sequence[float]) -> dict[str, float]:
    """The median of at least one value as a figure, with its range."""
    found = spread(values)
    return {name: found.median, f"least {name}": found.least, f"most {name}": found.most}


def _timed(
    row: Row, case: Case, runs: Mapping[str, Sequence[float]], *, repeats: int, limits: Limits
) -> Row:
    """A row with its times, and with those over ours of the same turn."""
    own = runs[row.form]
    figures = ranged("ms", [1e3 * s for s in own])
    seconds = figures["ms"] / 1e3
    if OURS in runs and row.form != OURS:
        turns = zip(own, runs[OURS], strict=False)  # What is slow took part in the first alone.
        figures |= ranged("times ours", [theirs / ours for theirs, ours in turns])
    figures["GB/s"] = case.gigabytes / seconds
    if case.gflop:
        figures["GFLOP/s"] = case.gflop / seconds
    if case.images:
        figures["images/s"] = case.images / seconds
    least = limits.least_s(gflop=case.gflop, gigabytes=case.gigabytes, number=case.number)
    figures["% of roof"] = 100 * least / seconds
    count = f"{len(own)} run{'s' if len(own) > 1 else ''}"
    few = f"Only {count}, since it is slow." if len(own) < repeats else ""
    return Row(row.case, row.form, {**figures, **row.figures}, f"{few} {row.note}".strip())


def measure_case(
    case: Case, *, repeats: int, limits: Limits, budget_s: float = BUDGET_S
) -> list[Row]:
    """Compares the results of all forms with the reference, and times those that agree.

    Args:
        case: What is computed.
        repeats: Timed runs of each form, after the warm-up.
        limits: Ceilings of the device.
        budget_s: Seconds that the runs of a form may take together; it runs once at least.

    Returns:
        One row per form.
    """
    draw = draws(case.draw)
    example = draw(0)
    reference = case.reference
    expected = reference(example) if callable(reference) else None
    rows: dict[str, Row] = {}
    ready: dict[str, Ready] = {}
    for name in sorted(case.forms, key=lambda name: name != reference):
        rows[name], form = _checked(case, name, example, expected)
        if form is not None:
            ready[name] = form
            expected = form.result if expected is None else expected  # The first that runs.
    del example
    runs = take_turns(ready, draw, repeats=repeats, budget_s=budget_s) if ready else {}
    for name in runs:
        rows[name] = _timed(rows[name], case, runs, repeats=repeats, limits=limits)
    return [rows[name] for name in case.forms]
