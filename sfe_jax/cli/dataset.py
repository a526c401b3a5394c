"""`sfe dataset`: pictures of any source, as one zip archive in StyleGAN's format."""

import contextlib
import itertools
import pathlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Annotated, Literal, cast

import tyro

from sfe_jax.core.errors import FileFormatError, OptionError

if TYPE_CHECKING:
    from sfe_jax.data.pictures import Form
    from sfe_jax.data.pipeline import Faults
    from sfe_jax.data.sources import Record

MAX_SHOWN = 20
"""Faults that a check prints; their number is told in any case."""

Pairs = Iterator[tuple[str, "Record"]]
"""Where each picture comes from, and its record."""


def _count_of_faces(source: str) -> int:
    """N of "faces:N".

    Raises:
        OptionError: If it is no number above 0.
    """
    text = source.removeprefix("faces:")
    if not (text.isascii() and text.isdigit() and int(text)):
        raise OptionError(f"SRC is {source!r}; write faces:COUNT, such as faces:10000")
    return int(text)


def _drawn(count: int, form: "Form", *, seed: int) -> Pairs:
    """Draws faces, whose attributes become labels."""
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.data.faces_builder import FacesOptions, draw_records
    from sfe_jax.data.pictures import to_form

    keep_compiled()
    options = FacesOptions(resolution=form.resolution or 64, count=count, seed=seed)
    for index, record in enumerate(draw_records(options)):
        name = f"face {index}"
        image = to_form(record["image"], form, name)
        yield name, {"image": image, "label": record["attributes"]}


def _opened(
    source: str, form: "Form", *, seed: int, strict: bool, faults: "Faults"
) -> tuple[int, Pairs]:
    """Number of records of a source, and the records."""
    if source.startswith("faces:"):
        count = _count_of_faces(source)
        return count, _drawn(count, form, seed=seed)

    from sfe_jax.data.opening import open_source
    from sfe_jax.data.pipeline import one_by_one

    records = open_source(source)
    return len(records), one_by_one(records, form, threads=2, strict=strict, faults=faults)


def _write(
    source: str,
    destination: pathlib.Path,
    form: "Form",
    *,
    seed: int,
    max_images: int | None,
    strict: bool,
) -> None:
    """Writes a data set under a progress bar, and says what it holds."""
    from sfe_jax.cli.console import say
    from sfe_jax.core.console import progress
    from sfe_jax.data.dataset_zips import write_dataset
    from sfe_jax.data.pipeline import Faults

    faults = Faults()
    count, records = _opened(source, form, seed=seed, strict=strict, faults=faults)
    total = count if max_images is None else min(count, max_images)
    bar = progress(itertools.islice(records, total), "writing", total=total)
    # Closed, so that the bar is gone before an error is told.
    with contextlib.closing(cast("Generator[tuple[str, Record]]", bar)) as shown:
        summary = write_dataset(destination, shown)
    say(f"{destination}: {summary}; {len(faults)} pictures left out")


def _check(path: pathlib.Path) -> None:
    """Reads a whole data set and says what it holds.

    Raises:
        FileFormatError: If a picture in it cannot be used.
    """
    from sfe_jax.cli.console import say
    from sfe_jax.core.console import progress
    from sfe_jax.data.dataset_zips import check_dataset
    from sfe_jax.data.zips import ZipSource

    source = ZipSource(path)
    summary, faults = check_dataset(source, progress(range(len(source)), "checking"))
    for fault in faults[:MAX_SHOWN]:
        say(fault)
    if faults:
        raise FileFormatError(
            f"{path}: {len(faults)} of {len(source)} pictures cannot be used; "
            "write it again with `sfe dataset`"
        )
    say(f"{path}: {summary}")


def dataset(
    source: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="SRC")] = None,
    destination: Annotated[
        pathlib.Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="DST.zip")
    ] = None,
    /,
    resolution: int | None = None,
    transform: Literal["none", "center-crop", "center-crop-wide"] = "none",
    resize_filter: Annotated[
        Literal["box", "bilinear", "lanczos"], tyro.conf.arg(name="filter")
    ] = "lanczos",
    channels: Literal[1, 3] = 3,
    seed: int = 0,
    max_images: int | None = None,
    strict: bool = False,
    check: pathlib.Path | None = None,
) -> None:
    """Makes a data set for training: one zip archive of equal PNG pictures with their labels.

    The archive appears when it is whole. Other programs of the StyleGAN family read it too.

    Example: sfe dataset photos/ ffhq256.zip --resolution 256 --transform center-crop

    Args:
        source: A folder, a .zip, tfds:NAME[/CONFIG]:SPLIT, or faces:COUNT, which draws faces.
        destination: Archive to write.
        resolution: Pixels a side, a power of two; by default that of the pictures.
        transform: What makes pictures square; none stretches, wide is 4:3 between black bars.
        resize_filter: How pictures are resized; published StyleGAN2-ADA scores are for box.
        channels: Colours (3) or grey (1).
        seed: Of faces:COUNT; another one draws other people, such as for a test set.
        max_images: How many pictures to take, from the first on.
        strict: Stop at a picture that cannot be used, instead of leaving it out.
        check: Verify this archive instead of writing one.
    """
    if check is not None:
        if source is not None:
            raise OptionError(f"--check verifies {check} alone; leave out SRC and DST.zip")
        _check(check)
        return
    if source is None or destination is None or destination.suffix.lower() != ".zip":
        raise OptionError("SRC and DST.zip are required: what to read, and a .zip to write")
    if max_images is not None and max_images < 1:
        raise OptionError(f"--max-images is {max_images}; required is at least 1")
    if resolution is not None and resolution & (resolution - 1):
        raise OptionError(f"--resolution is {resolution}; required is a power of two")

    from sfe_jax.data.pictures import Form

    form = Form(resolution, channels, transform, resize_filter)
    _write(source, destination, form, seed=seed, max_images=max_images, strict=strict)
