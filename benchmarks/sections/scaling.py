"""Weak scaling: measured on devices that share a processor, predicted for pods.

Measured is what the program adds when it is spread; predicted is what a pod's links can take from
it, out of what `benchmarks.pods` has compiled.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.rows import Options, Row, Section
from benchmarks.measuring.timing import processor_name, processors, spread
from benchmarks.pods.chips import TPUS, Chip, chip_of
from benchmarks.pods.results import Cost, Result, read_results
from sfe_jax.core.errors import SfeError

PODS = pathlib.Path(__file__).parents[1] / "PODS.json"
"""What `python -m benchmarks.pods --out benchmarks/PODS.md` keeps."""

RECIPE = "ffhq256_gan"

CHIPS = (8, 16, 32, 64, 128, 256)
"""Sizes of pods."""

COMMAND = (sys.executable, "-m", "benchmarks.sections.scaling_worker")

PATIENCE_S = 1_800
"""Seconds after which a run that says nothing is given up."""

TEXT = """Weak scaling: the same work on every device. Measured on CPU: steps of a small StyleGAN2
({resolution}x{resolution}, {batch} pictures a device, generator, discriminator and average, every
phase waited for) on devices that JAX makes out of one processor, in one process and in two joined
by `jax.distributed`. All devices share {processors} cores of {processor}, so more devices cannot be
faster; what there is to see is what spreading costs: efficiency is the pictures a second of all
devices over those of one, 1 where it costs nothing, and processor ms are the work of all cores for
a picture, waiting included where it keeps a core busy. Median of {repeats} steps. Predicted for
pods: FLOPs, bytes and exchanges of one chip from `benchmarks/PODS.json`, compiled for the target
named, at the stated peaks of v5e and v6e; in a ring of n chips each sends (n - 1)/n of what it
would in an endless one. `efficiency` is for exchanges that nothing hides, `hidden efficiency` for
exchanges beside the work; both are against a chip alone, and latency is left out."""


class ScalingError(SfeError):
    """A process of a run failed."""


@dataclass(frozen=True)
class Spreading:
    """Where a run takes place."""

    processes: int
    devices: int  # Of each.

    @property
    def total(self) -> int:
        """Devices of all processes."""
        return self.processes * self.devices


@dataclass(frozen=True)
class Amount:
    """How much is run."""

    resolution: int
    batch: int  # Pictures of each device.
    spreadings: tuple[Spreading, ...]  # The first one is a device alone.


FULL = Amount(32, 4, tuple(Spreading(*s) for s in ((1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 4))))
QUICK = Amount(8, 4, (Spreading(1, 1), Spreading(2, 1)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _start(where: Spreading, index: int, port: int, arguments: Sequence[str]) -> subprocess.Popen:
    """Starts one process of a run."""
    settings = {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={where.devices}",
    }
    if where.processes > 1:
        settings |= {
            "JAX_COORDINATOR_ADDRESS": f"localhost:{port}",
            "JAX_NUM_PROCESSES": str(where.processes),
            "JAX_PROCESS_ID": str(index),
        }
    return subprocess.Popen(  # noqa: S603  A module of ours.
        [*COMMAND, *arguments],
        cwd=PODS.parent.parent,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(where: Spreading, amount: Amount, *, repeats: int) -> dict[str, Any]:
    """What process 0 of a run says; see `benchmarks.sections.scaling_worker`.

    Raises:
        ScalingError: If a process fails or does not end.
    """
    port, numbers = _free_port(), (amount.resolution, amount.batch, repeats)
    started = [_start(where, i, port, list(map(str, numbers))) for i in range(where.processes)]
    try:
        said = [process.communicate(timeout=PATIENCE_S) for process in started]
    except subprocess.TimeoutExpired as error:
        raise ScalingError(f"{where} has not ended after {PATIENCE_S} s; try again") from error
    finally:
        for process in started:
            process.kill()
            process.communicate()
    for process, (_, errors) in zip(started, said, strict=True):
        if process.returncode:
            reason = (errors.strip().splitlines() or ["no reason given"])[-1]
            raise ScalingError(f"{where}: a process failed ({reason}); mend that and try again")
    # The library that moves data between processes speaks first.
    return json.loads(said[0][0].splitlines()[-1])


def measured(amount: Amount, *, repeats: int) -> Iterator[Row]:
    """Runs on devices that share the processor; a device alone comes first."""
    size, alone = amount.resolution, 0.0
    case = f"StyleGAN2 {size}x{size}, {amount.batch} a device, float32, training step"
    for where in amount.spreadings:
        said = run(where, amount, repeats=repeats)
        times = spread(said["seconds"])
        rate = said["pictures"] / times.median
        alone = alone or rate
        figures = {
            "devices": where.total,
            "ms": 1e3 * times.median,
            "least ms": 1e3 * times.least,
            "most ms": 1e3 * times.most,
            "images/s": rate,
            "efficiency": rate / alone,
            "processor ms": 1e3 * said["processor_s"] / said["pictures"],
            "exchanges": said["exchanges"],
            "exchanged MB": said["bytes"] / 1e6,
        }
        yield Row(case, f"CPU, {where.processes} process" + "es" * (where.processes > 1), figures)


def _times(cost: Cost, chip: Chip, chips: int) -> Mapping[str, float]:
    """Seconds of a phase in a ring of some chips, by what bounds."""
    times = cost.times(chip)
    return {**times, "links": times["links"] * (chips - 1) / chips}


def predict(result: Result, chips: int, *, chip: Chip) -> dict[str, float]:
    """Weak scaling of a recipe, as many pictures on each chip as it was compiled with.

    Arrays that all chips exchange are taken to be of one size whatever their number, as gradients
    are.

    Args:
        result: Of one compile; every phase fits.
        chips: n.
        chip: Whose peaks are taken.

    Returns:
        Figures of a row: "images/s" and "efficiency" if exchanges are not hidden, "hidden
        efficiency" if they are, and milliseconds of a step by what bounds.
    """
    alone = hidden = bare = 0.0
    totals = {"compute": 0.0, "memory": 0.0, "links": 0.0}
    for cost in result.costs:
        if not cost.steady:
            continue
        times = _times(cost, chip, chips)
        work = max(times["compute"], times["memory"])
        alone += work / cost.interval
        hidden += max(work, times["links"]) / cost.interval
        bare += (work + times["links"]) / cost.interval
        totals = {name: totals[name] + times[name] / cost.interval for name in totals}
    return {
        "devices": chips,
        "images/s": result.question.batch * chips / bare,
        "efficiency": alone / bare,
        "hidden efficiency": alone / hidden,
        **{f"{name} ms": 1e3 * seconds for name, seconds in totals.items()},
    }


def nearest(results: Sequence[Result], chip: Chip) -> list[Result]:
    """What says most of a chip: the largest pod of each batch, of that chip if one was compiled."""
    own = [result for result in results if chip_of(result.question.target) == chip]
    ordered = sorted(own or results, key=lambda result: result.question.chips)
    return list({(r.question.recipe, r.question.batch): r for r in ordered}.values())


def predicted(results: Sequence[Result]) -> Iterator[Row]:
    """Predictions for all TPUs out of what was compiled of a recipe."""
    pairs = [(result, chip) for chip in TPUS for result in nearest(results, chip)]
    for result, chip in pairs:
        asked = result.question
        work = f"{asked.recipe}, {asked.batch} a chip, {asked.precision}, training step"
        case = f"{work}, as compiled for {asked.target}"
        for chips in CHIPS:
            figures = predict(result, chips, chip=chip)
            bound = max(("compute", "memory", "links"), key=lambda name: figures[f"{name} ms"])
            yield Row(case, f"predicted, {chip.name}", figures, note=f"Bound by {bound}.")


def _compiled() -> list[Result]:
    """What is known of the recipe, where every phase fits."""
    return [
        result
        for result in read_results(PODS).values()
        if result.question.recipe.startswith(RECIPE) and not result.refused
        and not result.question.target.startswith("cuda")
    ]  # fmt: skip


def section(options: Options) -> Section:
    """The table of weak scaling.

    Raises:
        ScalingError: If a process fails.
        FileFormatError: If `PODS.json` cannot be read.
    """
    amount = QUICK if options.quick else FULL
    rows = [*measured(amount, repeats=options.repeats), *predicted(_compiled())]
    if len(rows) == len(amount.spreadings):
        remedy = f"python -m benchmarks.pods --config=configs/{RECIPE}.py --out benchmarks/PODS.md"
        rows.append(Row(RECIPE, "predicted", {}, note=f"Not compiled yet: {remedy}"))
    text = TEXT.format(
        resolution=amount.resolution,
        batch=amount.batch,
        processors=processors(),
        processor=processor_name(),
        repeats=options.repeats,
    )
    return Section("Weak scaling", text, tuple(rows))
