"""The work that `sfe edit` and `sfe invert` do for many pictures: check, run in batches, report."""

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sfe_jax.cli.options import output_names

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.editor import Editor

Work = Callable[["np.ndarray", list[pathlib.Path]], list[dict[str, Any]]]
"""Takes pictures uint8 [N, R, R, 3] and N folders to write to; gives N records with scores."""


def process_pictures(
    paths: list[pathlib.Path],
    editor: "Editor",
    work: Work,
    *,
    what: str,
    report: pathlib.Path,
    batch: int,
    crop: bool,
) -> None:
    """Runs `work` on batches of pictures, and keeps the records as they come.

    Args:
        paths: Of the pictures.
        editor: Whose resolution and method they are for.
        work: What is done with a batch.
        what: A word in front of the progress bar.
        report: JSON file for the records; the pictures' folders are made beside it.
        batch: Pictures computed together.
        crop: Whether the centre square of other pictures is taken.

    Raises:
        ImageError: If a picture cannot be used; found before the work rather than in its midst.
    """
    import numpy as np

    from sfe_jax.cli.console import announce_compilation, say
    from sfe_jax.cli.report import describe_scores, write_json
    from sfe_jax.core.console import progress
    from sfe_jax.core.images import load_aligned

    for path in progress(paths, "checking", total=len(paths)):
        load_aligned(path, editor.resolution, crop=crop)
    announce_compilation()
    records = []
    folders = [report.parent / name for name in output_names(paths)]
    starts = range(0, len(paths), batch)
    for start in progress(starts, what, total=len(starts)):
        rows = slice(start, start + batch)
        pictures = [load_aligned(path, editor.resolution, crop=crop) for path in paths[rows]]
        results = work(np.stack(pictures), folders[rows])
        for path, folder, record in zip(paths[rows], folders[rows], results, strict=True):
            say(f"{path}: {describe_scores(record)}, pictures in {folder}")
            records.append({"image": str(path), "method": editor.method_name, **record})
        write_json(report, records)
    say(f"wrote {report}")
