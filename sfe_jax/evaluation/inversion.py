"""How near inversions are to their pictures: LPIPS, L2, SSIM, MS-SSIM, identity, FID, and seconds.

Source: SFE (arXiv:2406.10601), section 4.1 and table 1; StyleFeatureEditor
scripts/calculate_metrics.py.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfe_jax.core.errors import ImageError
from sfe_jax.core.images import save_image
from sfe_jax.core.sheets import enlarge, grid
from sfe_jax.evaluation.extraction import SetReading
from sfe_jax.evaluation.measuring import SECONDS, TITLES, Measured, Setup, high_is_good
from sfe_jax.evaluation.pair_metrics import PairJudge, PairMetric, pair_metrics
from sfe_jax.evaluation.participants import INVERSION, Participant
from sfe_jax.evaluation.sets import Batch, filled
from sfe_jax.metrics.merging import merge_processes, merged
from sfe_jax.metrics.results import Result
from sfe_jax.metrics.rows import Rows
from sfe_jax.parallel.processes import is_main_process


class Stopwatch:
    """How long a participant takes for a picture; its first batch, which compiles, is repeated."""

    def __init__(self) -> None:
        """Has measured nothing yet."""
        self._times: list[float] = []

    def run(self, work: Callable[[Batch], np.ndarray], batch: Batch) -> np.ndarray:
        """Does the work on a batch, and notes its seconds per picture, padding among them."""
        if not self._times:
            work(batch)
        began = time.perf_counter()
        result = work(batch)
        self._times.append((time.perf_counter() - began) / len(batch.numbers))
        return result

    @property
    def median(self) -> float:
        """Over batches, of the seconds per picture."""
        return statistics.median(self._times)


def provenance(participant: Participant, seconds: float) -> dict[str, Any]:
    """What a result says of who made the pictures."""
    return {"weights": participant.weights, "dtype": participant.dtype, "seconds": seconds}


def seconds_result(stopwatch: Stopwatch, participant: Participant, count: int) -> Result:
    """How long a picture takes, from levels to levels, in the batches of the recipe."""
    return Result(
        metric=SECONDS,
        value=stopwatch.median,
        count=count,
        network="",
        resize="none",
        **provenance(participant, stopwatch.median * count),
    )


# Pairs.


def pair_results(
    metrics: list[PairMetric], rows: dict[str, Rows], *, enough: int = 1, **about: Any
) -> list[Result]:
    """Means of what pairs of pictures were found to have.

    Args:
        metrics: What was measured.
        rows: Name of a metric -> a number for each pair.
        enough: Pairs that a mean needs.
        **about: `weights`, `dtype` and `seconds` of the results.

    Raises:
        ImageError: If no pair had what a metric looks at.
    """
    results = []
    for metric in metrics:
        found = rows[metric.name]
        if not len(found):
            raise ImageError(
                f"{metric.name}: in no pair both pictures show a face; required is one at least, "
                "or `pairs.identity` without a detector"
            )
        result = Result(
            metric=metric.name,
            value=found.mean,
            deviation=found.deviation,
            count=len(found),
            network=metric.network,
            resize=str(metric.prepare),
            enough=enough,
            **about,
        )
        results.append(result)
    return results


def merge_rows(parts: Sequence[dict[str, Rows]]) -> dict[str, Rows]:
    """What batches of all processes found, by name of the metric."""
    return {name: merge_processes(merged([part[name] for part in parts])) for name in parts[0]}


# The evaluator.


@dataclass(frozen=True)
class Inverted:
    """What a participant made of the pictures."""

    rows: dict[str, Rows]  # Of every metric of pairs.
    reading: SetReading  # Of the inversions.
    stopwatch: Stopwatch


def invert_all(setup: Setup, participant: Participant, judge: PairJudge) -> Inverted:
    """Inverts all pictures, batch by batch."""
    collector, stopwatch, parts = setup.collector(), Stopwatch(), []
    for batch in setup.batches(setup.pictures, f"{participant.name}: inversions"):
        shown = stopwatch.run(participant.invert, batch)
        collector.add(Batch(batch.numbers, shown))
        parts.append(judge.compare(batch.numbers, shown, batch.images))
    return Inverted(merge_rows(parts), collector.finish(), stopwatch)


def worst_sheet(
    setup: Setup, participant: Participant, metric: PairMetric, rows: Rows
) -> np.ndarray:
    """The pictures that a participant inverts worst, above their inversions.

    Args:
        setup: Of the run.
        participant: Inverts them again.
        metric: By which they are bad.
        rows: Its number for each picture.

    Returns:
        uint8 [height, width, 3].
    """
    choose = rows.smallest if high_is_good(metric.name) else rows.largest
    numbers = choose(min(setup.recipe.worst, setup.local_batch_size))
    originals = np.stack([setup.pictures.read(int(number)) for number in numbers])
    batch = filled(Batch(numbers, originals), setup.local_batch_size)
    shown = participant.invert(batch)[: len(numbers)]
    values = dict(zip(rows.numbers.tolist(), rows.values.tolist(), strict=True))
    labels = [f"{setup.pictures.stem(n)}: {values[n]:.3f}" for n in numbers.tolist()]
    return grid(
        [[*map(enlarge, originals)], [*map(enlarge, shown)]],
        column_labels=labels,
        row_labels=["original", TITLES.get(participant.name, participant.name)],
    )


def evaluate_inversion(setup: Setup, participants: Sequence[Participant]) -> None:
    """Measures the inversions of all participants.

    Writes `worst_NAME.png` for each into the folder of the run.

    Args:
        setup: Of the run, whose log gets the figures.
        participants: Who inverts; those that have no inversions are left out.

    Raises:
        SfeError: If a network is missing, or pictures cannot be used.
    """
    judge = PairJudge(pair_metrics(setup.bundle, setup.recipe.pairs), setup.mesh)
    real = setup.real(setup.pictures, "reading real pictures")
    for participant in participants:
        if not participant.offers(INVERSION):
            continue
        found = invert_all(setup, participant, judge)
        about = provenance(participant, found.reading.seconds)
        results = pair_results(judge.metrics, found.rows, **about)
        results.append(setup.frechet(real, found.reading, **about))
        if participant.timed:
            count = len(setup.pictures)
            results.append(seconds_result(found.stopwatch, participant, count))
        setup.log.add(*(Measured("inversion", participant.name, result) for result in results))
        if setup.recipe.worst:
            metric = judge.metrics[0]
            sheet = worst_sheet(setup, participant, metric, found.rows[metric.name])
            if is_main_process():
                save_image(setup.folder / f"worst_{participant.name}.png", sheet)
