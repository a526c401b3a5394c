"""The page of `benchmarks.pods`: what recipes cost chips that are not there, and what bounds it."""

from collections.abc import Iterator

from benchmarks.pods.chips import GPUS, Chip
from benchmarks.pods.results import Cost, Result, Results
from sfe_jax.core.markdown import table

GIB = 2**30

HEAD = """# Recipes on pods

What a training step costs chips that are not there: every phase of a recipe is compiled for the
target and the compiler's program is read. Nothing ran. Made by

    python -m benchmarks.pods --all --topology=v5e:16x16 --out benchmarks/PODS.md

or, recipe by recipe, with `--config=configs/NAME.py`; `--join FILES` takes in the results of other
runs. Results are kept in `PODS.json` beside this page, and what they answer is not compiled again.

Held are state and frozen networks, temp is what a phase needs besides at one time; TFLOP, GB moved
and exchanges are those of one chip, exchanges with the bytes of whole arrays. Passes are bfloat16
products for each product: 1 for bfloat16, up to 6 for float32 on a TPU. The three times are figures
over the chip's stated peaks (products at the bfloat16 peak, memory at its bandwidth, exchanges as
rings over all links), so a phase takes at least the longest of them, if they overlap perfectly.
Pictures a second follow from that, each phase weighted by how often it runs: an upper bound, for
comparing recipes and chips, and no measurement. The batch is the recipe's, shared out, and one
picture a chip where chips outnumber it."""

GPU_NOTE = (
    "FLOPs are those of products, bytes those that kernels read and write; memory is without what "
    "cuDNN works in, which is chosen where the program runs. JAX takes three quarters of a GPU "
    "unless `XLA_PYTHON_CLIENT_MEM_FRACTION` says otherwise."
)
"""What the figures of a GPU leave out."""

SUMMARY = ("recipe", "precision", "target", "a chip", "pictures/s", "pictures/s a chip",
           "bound by", "peak GiB", "of GiB", "largest a chip")  # fmt: skip

PHASES = ("phase", "every", "held GiB", "temp GiB", "TFLOP", "passes", "GB moved", "exchanged",
          "compute ms", "memory ms", "links ms", "bound by", "compiled in s")  # fmt: skip


def _longest(result: Result) -> str:
    """What bounds most of a step."""
    times: dict[str, float] = {}
    for cost in result.costs:
        if cost.steady:
            bound, seconds = cost.bound(result.chip)
            times[bound] = times.get(bound, 0.0) + seconds / cost.interval
    name = max(times, key=lambda bound: times[bound])
    return f"{name} ({100 * times[name] / sum(times.values()):.0f} %)"


def _summary(result: Result) -> tuple[str, ...]:
    """A result as a row under `SUMMARY`."""
    asked, peak = result.question, result.peak
    fits, none = peak <= result.chip.memory, "none"
    return (
        asked.recipe,
        asked.precision,
        asked.target,
        str(asked.batch),
        f"{result.rate:,.0f}" if result.rate else none,
        f"{result.rate / asked.chips:.1f}" if result.rate else none,
        _longest(result) if result.rate else "memory, too small",
        f"{peak / GIB:.2f}" + ("" if fits else ", does not fit"),
        f"{result.chip.memory / GIB:.1f}",
        "not asked" if result.largest is None else str(result.largest),
    )


def _phase(cost: Cost, chip: Chip) -> tuple[str, ...]:
    """A phase as a row under `PHASES`."""
    times = cost.times(chip)
    exchanged = ", ".join(
        f"{number} {kind} {size / 1e6:.0f} MB" for kind, (number, size) in cost.exchanged.items()
    )
    return (
        cost.name,
        f"{cost.interval:.3g}",
        f"{cost.held / GIB:.2f}",
        f"{cost.temp / GIB:.2f}",
        f"{cost.flops / 1e12:.3g}",
        f"{cost.passes:.1f}",
        f"{cost.accessed / 1e9:.3g}",
        exchanged or "none",
        *(f"{1e3 * times[name]:.3g}" for name in ("compute", "memory", "links")),
        cost.bound(chip)[0],
        f"{cost.compile_s:.0f}",
    )


def _statements(result: Result) -> Iterator[str]:
    """What follows from the phases, a sentence each."""
    asked, memory = result.question, f"{result.chip.memory / GIB:.1f} GiB"
    if result.rate:
        rate = result.rate / asked.chips
        yield f"At the peaks: {result.rate:,.0f} pictures a second, {rate:.1f} a chip."
    for name, size in result.refused.items():
        yield f"{name} does not fit: besides what is held it needs {size / GIB:.2f} GiB."
    if result.costs:
        hungriest = result.hungriest
        fits = "fits" if hungriest.peak <= result.chip.memory else "does not fit"
        yield f"Peak memory {hungriest.peak / GIB:.2f} GiB in {hungriest.name}: {fits} {memory}."
    if result.largest is not None:
        yield f"Largest batch a chip, on a line through two compiles of it: {result.largest}."
    versions = ", ".join(f"{name} {version}" for name, version in asked.versions.items())
    yield f"Compiled at level {asked.level} with {versions}."
    if result.chip in GPUS:
        yield GPU_NOTE


def section(result: Result) -> str:
    """A section of Markdown on one result."""
    asked = result.question
    head = f"## {asked.recipe}, {asked.precision}, {asked.batch} a chip of {asked.target}"
    phases = table(PHASES, [_phase(cost, result.chip) for cost in result.costs])
    return "\n\n".join([head, "\n".join(phases), "\n".join(_statements(result))])


def page(results: Results) -> str:
    """The whole page."""
    ordered = [results[place] for place in sorted(results)]
    summary = "\n".join(table(SUMMARY, [_summary(result) for result in ordered]))
    return "\n\n".join([HEAD, summary, *map(section, ordered)]) + "\n"
