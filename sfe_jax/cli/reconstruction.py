"""What `sfe project` and `sfe tune` share: a bundle, a bar with the distance, batches."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.bundle import Bundle
    from sfe_jax.pipelines.reconstruction import Reconstructor, Watch

DistanceName = Literal["lpips_vgg", "lpips_alex", "lpips_squeeze", "features"]
"""Networks that see likeness."""

Work = Callable[["np.ndarray", list[pathlib.Path], "Watch"], list[dict[str, Any]]]
"""Takes pictures uint8 [n, R, R, 3], n folders to write to, and what to call on the way; gives n
records with "distance" and scores."""


def open_bundle(weights: pathlib.Path | None, *, encoder: str) -> "Bundle":
    """The bundle that the user named, or that of the package, with the compilation cache on.

    Args:
        weights: The file; None for that of the package.
        encoder: Method of whose networks codes come; any other word if of none.

    Raises:
        SfeError: If it cannot be used.
    """
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.pipelines.bundle import load_bundle
    from sfe_jax.pipelines.editor import METHOD_ROLES
    from sfe_jax.pipelines.likeness import LIKENESS_ROLES
    from sfe_jax.weights import faces64

    keep_compiled()
    roles = ("generator", "arcface", *LIKENESS_ROLES, *METHOD_ROLES.get(encoder, ()))
    return load_bundle(weights or faces64(), roles)


def check_counts(**counts: int) -> None:
    """Raises unless numbers that the user gave, by option, are at least 1.

    Raises:
        OptionError: With the first that is not.
    """
    for option, count in counts.items():
        if count < 1:
            raise OptionError(f"--{option} is {count}; required is at least 1")


@contextlib.contextmanager
def distance_bar(what: str, total: int) -> "Iterator[Callable[[int, float], None]]":
    """A progress bar over steps that shows a distance.

    Args:
        what: A word in front of the bar.
        total: Steps.

    Yields:
        A function of the steps done and the distance.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from sfe_jax.core.console import console

    shown = TextColumn("distance {task.fields[distance]}")
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), Remaining(), shown)
    with Progress(*columns, console=console()) as bar:
        task = bar.add_task(what, total=total, distance="not known yet")
        yield lambda done, distance: bar.update(task, completed=done, distance=f"{distance:.4f}")


def reconstruct(
    paths: list[pathlib.Path],
    reconstructor: "Reconstructor",
    work: Work,
    *,
    what: str,
    steps: int,
    report: pathlib.Path,
    crop: bool,
) -> None:
    """Runs `work` on batches of pictures, and keeps the records as they come.

    Args:
        paths: Of the pictures.
        reconstructor: Whose resolution and batch size they are for.
        work: What is done with a batch.
        what: A word in front of the progress bar.
        steps: Of every batch.
        report: JSON file for the records; the pictures' folders are made beside it.
        crop: Whether the centre square of other pictures is taken.

    Raises:
        ImageError: If a picture cannot be used; found before the work rather than in its midst.
        SfeError: If the folder cannot be written, or holds another file of the report's name.
    """
    import numpy as np

    from sfe_jax.cli.batches import open_aligned, usable_pictures
    from sfe_jax.cli.console import announce_compilation, say
    from sfe_jax.cli.report import Report, describe_scores
    from sfe_jax.pipelines.reconstruction import Look

    kept = Report(report, paths)
    opener = open_aligned(reconstructor.resolution, crop=crop)
    usable_pictures(paths, opener)
    say(f"{reconstructor.bundle.path}: likeness as {reconstructor.likeness.role} sees it")
    announce_compilation()
    starts = range(0, len(paths), reconstructor.batch_size)
    with distance_bar(what, steps * len(starts)) as move:
        for index, start in enumerate(starts):
            rows = slice(start, start + reconstructor.batch_size)

            def watch(look: Look, before: int = index * steps) -> None:
                move(before + look.step, float(look.distances.mean()))

            pictures = [opener.open(path).picture for path in paths[rows]]
            results = work(np.stack(pictures), kept.folders[rows], watch)
            move((index + 1) * steps, float(np.mean([result["distance"] for result in results])))
            records = []
            for path, folder, result in zip(paths[rows], kept.folders[rows], results, strict=True):
                scores = f"distance {result['distance']:.4f}, {describe_scores(result)}"
                say(f"{path}: {scores}, pictures in {folder}")
                facts = {"image": str(path), "name": folder.name}
                records.append({**facts, "distance_network": reconstructor.likeness.role, **result})
            kept.add(records)
    say(f"wrote {report}")
