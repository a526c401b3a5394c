"""What projection and pivotal tuning make of faces, and how long they take; for the README.

Projects faces that the bundled networks have not seen, and pictures of the generator itself, and
compares the results with e4e's inversion; times projection one by one and eight together. Writes
tables in Markdown, all figures in JSON beside them, and a picture of all results.

Example: python -m benchmarks.projection -o benchmarks/PROJECTION.md --picture docs/projection.png
"""

import argparse
import pathlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from benchmarks.measuring.pages import page_path, print_page, provenance, write_page
from sfe_jax.cli.console import say
from sfe_jax.core.cache import keep_compiled
from sfe_jax.core.images import save_image, to_float, to_uint8
from sfe_jax.core.markdown import table
from sfe_jax.core.sheets import enlarge, grid
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.data.faces import render_faces, sample_faces
from sfe_jax.latents.pivotal_tuning import TuningOptions
from sfe_jax.latents.projection import ProjectionOptions
from sfe_jax.metrics.pairs import squared_error
from sfe_jax.perceptual.arcface import identity_similarity
from sfe_jax.pipelines.bundle import Bundle, load_bundle
from sfe_jax.pipelines.editor import Editor
from sfe_jax.pipelines.generation import Synthesizer
from sfe_jax.pipelines.projection import Projector
from sfe_jax.pipelines.tuning import Tuner
from sfe_jax.weights import faces64

SEED = 2000
"""Of the faces; training draws from seeds 0 and 1, `sfe trial` from 1000."""

TIMED_STEPS = 50
"""Steps of a timed run; each costs the same."""


@dataclass(frozen=True)
class Result:
    """What a method made of pictures: means over them, and the distance of each."""

    method: str
    distance: float  # Feature distance, see `pipelines.likeness`.
    l2: float  # Mean squared error in [-1, 1].
    identity: float  # Cosine of the embeddings of `features`.
    distances: list[float]
    steps: float  # Taken per picture.


@dataclass(frozen=True)
class Timing:
    """Projection at one batch size, scaled to all steps."""

    batch: int
    seconds: float  # Per picture, by the clock.
    cpu_seconds: float  # Per picture, of all cores together.


def draw_unseen(count: int, resolution: int) -> np.ndarray:
    """Faces of the kind the generator was trained on, uint8 [N, R, R, 3]."""
    faces = sample_faces(jax.random.key(SEED), count)
    drawn = jax.jit(render_faces, static_argnums=1)(faces, resolution)
    return to_uint8(np.asarray(drawn), offset=128.0)


class Judge:
    """Compares pictures with their targets by the network that knows drawn faces."""

    def __init__(self, bundle: Bundle) -> None:
        """Compiles nothing yet.

        Args:
            bundle: Holds "features".
        """
        network = bundle.network("features")

        @jax.jit
        def compare(variables: Variables, images: Array, target: Array) -> tuple[Array, Array]:
            embeddings = (
                apply(network.module, variables, x)["embedding"] for x in (images, target)
            )
            return squared_error(images, target), identity_similarity(*embeddings)

        self._compare, self._variables = compare, network.variables

    def result(
        self,
        method: str,
        images: np.ndarray,
        target: np.ndarray,
        distances: np.ndarray,
        steps: float,
    ) -> Result:
        """The figures of pictures uint8 [N, R, R, 3], whose distances [N] are known."""
        l2, identity = self._compare(self._variables, to_float(images), to_float(target))
        return Result(
            method,
            distance=float(np.mean(distances)),
            l2=float(np.mean(l2)),
            identity=float(np.mean(identity)),
            distances=[float(x) for x in distances],
            steps=steps,
        )


def unseen_faces(
    judge: Judge,
    bundle: Bundle,
    target: np.ndarray,
    *,
    projection: ProjectionOptions,
    tuning: TuningOptions,
) -> Iterator[tuple[Result, np.ndarray]]:
    """Every method on unseen faces uint8 [N, R, R, 3]: its figures, and its pictures likewise."""
    count = len(target)

    def judged(method: str, found: Any, steps: float) -> tuple[Result, np.ndarray]:
        result = judge.result(method, found.images, target, found.distances, steps)
        return result, found.images

    projector = Projector(bundle, space="w", options=projection, batch_size=count)
    encoded = np.asarray(Editor(bundle, method="e4e", batch_size=count).invert(target).ws)
    yield judged("e4e", projector.show(target, encoded), 0)
    pivots = projector.project(target)
    yield judged("W", pivots, projection.steps)
    projector = Projector(bundle, space="w+", options=projection, batch_size=count)
    yield judged("W+", projector.project(target), projection.steps)
    tuned = Tuner(bundle, options=tuning).tune(target, pivots.ws)
    yield judged("PTI", tuned, float(tuned.steps.mean()))


def own_samples(
    judge: Judge, bundle: Bundle, count: int, *, projection: ProjectionOptions
) -> Result:
    """Projection into W of pictures that the generator made."""
    synthesizer = Synthesizer(bundle, batch_size=count)
    target = np.stack(list(synthesizer.pictures(synthesizer.codes_of_seeds(range(count)))))
    found = Projector(bundle, options=projection, batch_size=count).project(target)
    return judge.result("W", found.images, target, found.distances, projection.steps)


def time_projection(bundle: Bundle, pictures: np.ndarray, *, batch: int, steps: int) -> Timing:
    """Seconds per picture for `steps` steps, from a run of `TIMED_STEPS` after a warm-up."""
    options = ProjectionOptions(steps=TIMED_STEPS)
    projector = Projector(bundle, options=options, batch_size=batch)
    projector.project(pictures[:batch])
    start, cpu = time.perf_counter(), time.process_time()
    projector.project(pictures[:batch])
    scale = steps / TIMED_STEPS / batch
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    return Timing(batch, seconds * scale, cpu_seconds * scale)


def result_lines(results: list[Result]) -> list[str]:
    """A table of figures."""
    heads = ["method", "steps", "feature distance", "worst", "L2", "identity"]
    rows = [
        [
            row.method,
            f"{row.steps:.0f}",
            f"{row.distance:.4f}",
            f"{max(row.distances):.4f}",
            f"{row.l2:.4f}",
            f"{row.identity:.3f}",
        ]
        for row in results
    ]
    return table(heads, rows)


def report(content: dict[str, Any]) -> str:
    """The page in Markdown."""
    origin, timings = content["provenance"], content["timings"]
    timing_rows = [
        [str(row.batch), f"{row.seconds:.1f}", f"{row.cpu_seconds:.1f}"] for row in timings
    ]
    lines = [
        "# Projection and pivotal tuning of drawn faces",
        "",
        "Written by `python -m benchmarks.projection`. Feature distance is that of the network "
        "`features`, which projection and tuning lower themselves; L2 is in [-1, 1], identity the "
        "cosine of that network's embeddings.",
        f"Weights `{origin['weights']}`, SHA-256 `{origin['sha256']}`; {origin['device']}, "
        f"float32, python {origin['python']}, jax {origin['jax']}.",
        "",
        f"## {content['count']} faces that the networks have not seen",
        "",
        *result_lines(content["unseen"]),
        "",
        "W and W+ start at the mean code. PTI tunes a generator for each face at its code of W, "
        f"until its distance is {content['tuning'].enough}.",
    ]
    if content["own"]:
        heading = f"## {content['count']} pictures of the generator itself"
        lines += ["", heading, "", *result_lines(content["own"])]
    if timings:
        heads = ["pictures together", "seconds per picture", "CPU seconds"]
        note = (
            f"For {content['projection'].steps} steps, measured on {TIMED_STEPS} after a warm-up, "
            "compilation apart."
        )
        lines += ["", "## Time", "", *table(heads, timing_rows), "", note]
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.projection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--weights", type=pathlib.Path, help="bundle; by default the one of the package")
    add("--count", type=int, default=8, help="faces, and pictures of the generator")
    add("--steps", type=int, default=1000, help="of each projection")
    add("--tuning-steps", type=int, default=350, help="of each tuning, at most")
    add("--enough", type=float, default=0.06, help="distance at which a tuning ends")
    add("--picture", type=pathlib.Path, help="PNG of all results, such as docs/projection.png")
    add("-o", "--out", type=page_path, default=pathlib.Path("benchmarks/PROJECTION.md"))
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> str:
    """Measures, writes the files, and gives the page.

    Raises:
        SfeError: If the bundle or an option cannot be used.
    """
    weights = arguments.weights or faces64()
    bundle = load_bundle(weights)
    generator: Any = bundle.network("generator").module
    projection = ProjectionOptions(steps=arguments.steps)
    tuning = TuningOptions(steps=arguments.tuning_steps, enough=arguments.enough)
    content: dict[str, Any] = {
        "provenance": provenance(weights),
        "count": arguments.count,
        "projection": projection,
        "tuning": tuning,
        "unseen": [],
        "own": [],
        "timings": [],
    }

    def write(part: str, value: Any) -> None:
        """Adds a figure and writes both files, so that a long run can be stopped."""
        content[part].append(value)
        say(f"{part}: {value}")
        write_page(arguments.out, report(content), content)

    judge, target = Judge(bundle), draw_unseen(arguments.count, generator.resolution)
    columns = {"target": target}
    methods = unseen_faces(judge, bundle, target, projection=projection, tuning=tuning)
    for result, pictures in methods:
        write("unseen", result)
        columns[result.method] = pictures
        if arguments.picture:
            rows = [[enlarge(x) for x in row] for row in zip(*columns.values(), strict=True)]
            save_image(arguments.picture, grid(rows, column_labels=list(columns)))
    write("own", own_samples(judge, bundle, arguments.count, projection=projection))
    for batch in (1, arguments.count):
        timing = time_projection(bundle, target, batch=batch, steps=arguments.steps)
        write("timings", timing)
    return report(content)


def main() -> None:
    """Runs the measurements and prints the page."""
    keep_compiled()
    print_page(lambda: run(parse()))


if __name__ == "__main__":
    main()
