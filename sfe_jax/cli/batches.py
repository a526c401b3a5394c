"""What `sfe edit`, `sfe invert` and `sfe translate` do for many pictures: check, batch, report."""

import pathlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sfe_jax.cli.photographs import Finder, Found, describe_face, open_finder, take_largest
from sfe_jax.cli.wording import in_options
from sfe_jax.core.errors import ImageError, OptionError, SfeError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.pipelines.bundle import Bundle
    from sfe_jax.pipelines.editor import Editor
    from sfe_jax.pipelines.translation import Translator


@dataclass(frozen=True)
class Portrait:
    """A picture as networks read it."""

    picture: "np.ndarray"  # uint8 [R, R, C]; C is 1 for sketches and maps of labels, else 3.
    facts: Mapping[str, Any] = field(default_factory=dict)  # For the report.
    paste: "Callable[[np.ndarray], np.ndarray] | None" = None
    """Puts an edited picture in the photograph that the face was cut from; None if none was."""


class Opener(NamedTuple):
    """How the picture at a path is read."""

    check: Callable[[pathlib.Path], object]  # `ImageError` unless `open` will do, at less cost.
    open: Callable[[pathlib.Path], Portrait]
    skips: tuple[type[SfeError], ...] = ()  # Errors of `check` after which the others go on.


Work = Callable[[list[Portrait], list[pathlib.Path]], list[dict[str, Any]]]
"""Takes N pictures and N folders to write to; gives N records, with scores if there are any."""


def open_aligned(resolution: int, *, crop: bool) -> Opener:
    """Reads pictures that are aligned already, as `load_aligned` does."""
    from sfe_jax.core.images import load_aligned

    def open_picture(path: pathlib.Path) -> Portrait:
        return Portrait(load_aligned(path, resolution, crop=crop))

    return Opener(open_picture, open_picture)


def open_photographs(find: Finder, resolution: int) -> Opener:
    """Cuts the largest face out of each photograph; a photograph's face is found once.

    Both functions raise `ImageError` as `load_image` and the finder do, and where the face is below
    1/8 of the resolution or lies outside.
    """
    from sfe_jax.alignment.cropping import align_face, check_quad
    from sfe_jax.alignment.pasting import paste_face
    from sfe_jax.alignment.quads import quad_of_points, quad_side
    from sfe_jax.core.images import check_large_enough, load_image

    known: dict[pathlib.Path, Found] = {}

    def find_once(photo: "np.ndarray", path: pathlib.Path) -> Found:
        if path not in known:
            found = take_largest(find(photo, path), path)
            quad = quad_of_points(found.points, name=path)
            check_quad(photo, quad, name=path)
            side = round(quad_side(quad))
            check_large_enough(f"{path}: the face", side, side, resolution=resolution)
            known[path] = found
        return known[path]

    def open_photograph(path: pathlib.Path) -> Portrait:
        photo = load_image(path)
        found = find_once(photo, path)
        face = align_face(photo, found.points, size=resolution, name=path)
        facts = {"face": describe_face(found, face)}
        return Portrait(face.image, facts, lambda edited: paste_face(photo, face, edited=edited))

    return Opener(lambda path: find_once(load_image(path), path), open_photograph, (ImageError,))


def check_reading(*, align: bool, crop: bool, points: pathlib.Path | None) -> None:
    """Raises unless options of how pictures are read go together.

    Raises:
        OptionError: If they do not.
    """
    if align and crop:
        raise OptionError("--align and --crop are given; choose one: --align cuts the face out")
    if points and not align:
        raise OptionError("--points are where the face of a photograph is; give --align too")


def choose_opener(
    bundle: "Bundle",
    paths: list[pathlib.Path],
    *,
    plain: Opener,
    size: int,
    align: bool,
    points: pathlib.Path | None,
) -> Opener:
    """What reads the pictures.

    Args:
        bundle: Finds the faces.
        paths: Of all pictures.
        plain: Reads what is aligned already.
        size: Pixels a side of the faces that are cut out.
        align: Whether they are to be cut out of photographs.
        points: As for `open_finder`.

    Raises:
        OptionError: If there are points and several photographs.
        SfeError: If the points, or the networks that find faces, cannot be used.
    """
    if not align:
        return plain
    return open_photographs(open_finder(lambda: bundle, paths, points=points), size)


def open_for_editor(
    editor: "Editor",
    paths: list[pathlib.Path],
    *,
    align: bool,
    crop: bool,
    points: pathlib.Path | None,
) -> Opener:
    """What reads the pictures of an editor; see `choose_opener`.

    Raises:
        SfeError: As `choose_opener`.
    """
    size = editor.resolution
    plain = open_aligned(size, crop=crop)
    return choose_opener(editor.bundle, paths, plain=plain, size=size, align=align, points=points)


def usable_pictures(paths: list[pathlib.Path], opener: Opener) -> list[pathlib.Path]:
    """The pictures that can be used; says why the others are skipped.

    Raises:
        ImageError: If some cannot be used and must not be skipped; all of them are named.
    """
    from sfe_jax.cli.console import say
    from sfe_jax.core.console import progress

    usable, faults = [], []
    for path in progress(paths, "checking", total=len(paths)):
        try:
            opener.check(path)
        except opener.skips as error:
            say(f"skipped {in_options(error)}")
        except ImageError as error:
            faults.append(error)
        else:
            usable.append(path)
    if len(faults) > 1:
        for error in faults:
            say(in_options(error))
        raise ImageError(
            f"{len(faults)} of {len(paths)} pictures cannot be used, see above; mend them or leave "
            "them out"
        )
    if faults:
        raise faults[0]
    return usable


def process_pictures(
    paths: list[pathlib.Path],
    editor: "Editor | Translator",
    opener: Opener,
    work: Work,
    *,
    what: str,
    report: pathlib.Path,
    batch: int,
) -> None:
    """Runs `work` on batches of pictures, and keeps the records as they come.

    A face that was cut out of its photograph is written to its folder as aligned.png. Photographs
    that cannot be used are named, skipped and counted; exit status 1 if all were. The report keeps
    what earlier runs wrote of other pictures, whose folders are left alone.

    Args:
        paths: Of the pictures.
        editor: Whose method goes into the records.
        opener: Reads a picture.
        work: What is done with a batch.
        what: A word in front of the progress bar.
        report: JSON file for the records; the pictures' folders are made beside it.
        batch: Pictures computed together.

    Raises:
        ImageError: If a picture that must not be skipped cannot be used; found before the work
            rather than in its midst.
        SfeError: If the folder cannot be written, or holds another file of the report's name.
    """
    from sfe_jax.cli.console import announce_compilation, say
    from sfe_jax.cli.report import Report, describe_scores
    from sfe_jax.core.console import progress
    from sfe_jax.core.images import save_image

    kept = Report(report, paths)
    usable = usable_pictures(paths, opener)
    skipped = f"photographs skipped: {len(paths) - len(usable)} of {len(paths)}"
    if not usable:
        say(skipped)
        sys.exit(1)
    announce_compilation()
    folders = dict(zip(paths, kept.folders, strict=True))
    starts = range(0, len(usable), batch)
    for start in progress(starts, what, total=len(starts)):
        part = usable[start : start + batch]
        portraits = [opener.open(path) for path in part]
        results = work(portraits, [folders[path] for path in part])
        records = []
        for path, portrait, record in zip(part, portraits, results, strict=True):
            folder = folders[path]
            if portrait.paste:
                save_image(folder / "aligned.png", portrait.picture)
            words = filter(None, (describe_scores(record), f"pictures in {folder}"))
            say(f"{path}: {', '.join(words)}")
            facts = {"image": str(path), "name": folder.name, "method": editor.method_name}
            records.append({**facts, **portrait.facts, **record})
        kept.add(records)
    say(f"wrote {report}; {skipped}" if opener.skips else f"wrote {report}")
