"""The input pipeline against PyTorch's DataLoader: pictures a second of one processor core.

Both read the same files, decode, resize, mirror and stack them. Needs torch for the comparison;
without it, ours stands alone.
"""

import contextlib
import itertools
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.measuring.rows import Options, Row, Section
from benchmarks.measuring.timing import Spread, processor_name, spread
from benchmarks.sections.input_files import (
    NOISE,
    Cycled,
    DataSet,
    write_folder,
    write_records,
    write_zip,
)
from benchmarks.sections.input_plain import Pictures, at_random, has_torch, in_order
from sfe_jax.core.errors import SfeError
from sfe_jax.data.pictures import Form, decode_picture, mirrored, to_form
from sfe_jax.data.pipeline import batches, one_pass

TEXT = """Batches of {batches}, out of few files that stand for {pretended:,} and lie in the
system's memory: smooth random pictures with noise of {noise} levels, which compress as photographs
do. Every file is decoded, resized by a Lanczos filter where it is larger, mirrored with probability
1/2 and stacked. The process and all that it starts are held on one core, so that a figure is that
of one core, whichever threads or worker processes share it. Forms take turns; a turn begins with
what was read ahead used up, and figures are the median, least and most of {repeats} turns. Before,
both gave the same pixels. `shares` is the least that a picture costs our pipeline without threads,
in processor time of each step alone; the rest is Grain and what passes between the steps.
{processor}, Pillow {pillow}, Grain {grain}, {torch}."""

NOT_INSTALLED = "PyTorch is not installed, so there is no DataLoader to compare with"


class PixelError(SfeError):
    """Two pipelines give different pixels, so their speeds are of different things."""


@dataclass(frozen=True)
class Size:
    """How much is read."""

    resolution: int  # R, pixels a side.
    pictures: int  # In the data set.
    batch: int  # B.
    batches: int  # In one turn.


SIZES = (Size(256, 64, 32, 4), Size(1024, 16, 8, 4))
QUICK = (Size(32, 8, 4, 2),)
"""Where something is to be seen soon."""

PRETENDED = 70_000
"""Records as which the few files are read: those of FFHQ."""


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Holds this thread, and threads and processes started meanwhile, on one core."""
    if not hasattr(os, "sched_setaffinity"):  # Linux alone has it.
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def check_pixels(data: DataSet, size: Size) -> None:
    """Reads every picture in both ways.

    Raises:
        PixelError: If a pixel differs.
    """
    plain = in_order(Pictures(data.files, resolution=size.resolution, mirror=False), size.batch)
    ours = one_pass(data.source, batch_size=size.batch, resolution=size.resolution, threads=0)
    for number, (own, other) in enumerate(zip(ours, plain, strict=True)):
        if not np.array_equal(own["image"], other):
            raise PixelError(
                f"{data.name}: batch {number} of our pipeline and of the DataLoader differ; "
                "required are equal pixels: use one version of Pillow for both"
            )


def _readers(data: DataSet, size: Size) -> dict[str, Iterator[Any]]:
    """Batches without end by the name of who makes them."""
    source = Cycled(data.source, PRETENDED)
    shared = {"batch_size": size.batch, "resolution": size.resolution, "mirror": True}
    readers: dict[str, Iterator[Any]] = {
        "Grain, 0 threads": batches(source, seed=0, threads=0, **shared),
        "Grain, 1 thread": batches(source, seed=0, threads=1, **shared),
    }
    if has_torch():
        pictures = Pictures(data.files, resolution=size.resolution, mirror=True)
        readers["DataLoader, 0 workers"] = at_random(pictures, size.batch, workers=0)
        readers["DataLoader, 1 worker"] = at_random(pictures, size.batch, workers=1)
    return readers


def _turn(reader: Iterator[Any], size: Size) -> float:
    """Pictures a second, once what was read ahead is used up."""
    for _ in itertools.islice(reader, 3):  # A DataLoader holds two, Grain one.
        pass
    start = time.perf_counter()
    for _ in itertools.islice(reader, size.batches):
        pass
    return size.batches * size.batch / (time.perf_counter() - start)


def rates(readers: Mapping[str, Iterator[Any]], size: Size, *, repeats: int) -> dict[str, Spread]:
    """Pictures a second of every reader; they take turns, after one turn that does not count."""
    found: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(repeats + 1):
        for name, reader in readers.items():
            found[name].append(_turn(reader, size))
            time.sleep(0.3)  # Until those that read ahead are asleep.
    return {name: spread(values[1:]) for name, values in found.items()}


def _processor_ms(
    steps: Mapping[str, Callable[[], Any]], *, count: int, repeats: int
) -> dict[str, float]:
    """Least milliseconds of this thread for one of `count` pictures; steps take turns."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats + 1):
        for name, step in steps.items():
            start = time.thread_time()
            step()
            found[name].append(1e3 * (time.thread_time() - start) / count)
    return {name: min(times) for name, times in found.items()}


def shares(data: DataSet, size: Size, reader: Iterator[Any], *, repeats: int) -> dict[str, float]:
    """What a picture costs our pipeline: milliseconds in all, and how they are shared out.

    Args:
        data: What is read.
        size: How much.
        reader: Our pipeline without threads.
        repeats: Of every step.
    """
    form, numbers = Form(size.resolution), range(size.batch)
    contents = [data.files[number] for number in numbers]
    decoded = [decode_picture(content, data.name) for content in contents]
    formed = [to_form(image, form, data.name) for image in decoded]
    steps: dict[str, Callable[[], Any]] = {
        "all": partial(next, reader),
        "source": lambda: [data.source[number] for number in numbers],
        "decode": lambda: [decode_picture(content, data.name) for content in contents],
        "resize": lambda: [to_form(image, form, data.name) for image in decoded],
        "mirror": lambda: [mirrored(image) for image in formed[::2]],
        "stack": lambda: np.stack(formed),
    }
    ms = _processor_ms(steps, count=size.batch, repeats=repeats)
    parts = {"read": ms["source"] - ms["decode"]} | {
        name: ms[name] for name in ("decode", "resize", "mirror", "stack")
    }
    parts["rest"] = ms["all"] - sum(parts.values())
    return {"ms": ms["all"]} | {f"{name} %": 100 * t / ms["all"] for name, t in parts.items()}


def _rows(data: DataSet, size: Size, options: Options) -> Iterator[Row]:
    """Rows of one data set."""
    if has_torch():
        check_pixels(data, size)
    readers = _readers(data, size)
    for form, rate in rates(readers, size, repeats=options.repeats).items():
        figures = {
            "images/s": rate.median,
            "least images/s": rate.least,
            "most images/s": rate.most,
        }
        yield Row(data.name, form, figures)
    if not has_torch():
        yield Row(data.name, "DataLoader", {}, note=NOT_INSTALLED)
    alone = readers["Grain, 0 threads"]
    yield Row(data.name, "shares", shares(data, size, alone, repeats=options.repeats))


def _data_sets(folder: pathlib.Path, size: Size) -> Iterator[DataSet]:
    """Writes the pictures in three ways."""
    amount = {"count": size.pictures, "resolution": size.resolution}
    yield write_folder(folder / "jpeg", **amount)
    yield write_zip(folder / "pictures.zip", **amount)
    yield write_records(folder / "records", **amount)


def section(options: Options) -> Section:
    """The table of the input pipeline.

    Raises:
        PixelError: If our pipeline and the plain one differ in a pixel.
    """
    sizes, rows = QUICK if options.quick else SIZES, []
    for size in sizes:
        folder = options.workdir / f"input_pipeline_{size.resolution}"
        with one_core():
            for data in _data_sets(folder, size):
                rows += _rows(data, size, options)
        shutil.rmtree(folder)
    text = TEXT.format(
        batches=" and ".join(f"{size.batch} at {size.resolution}" for size in sizes),
        pretended=PRETENDED,
        noise=f"{NOISE:.0f}",
        repeats=options.repeats,
        processor=processor_name(),
        pillow=version("pillow"),
        grain=version("grain"),
        torch=f"PyTorch {version('torch')}" if has_torch() else NOT_INSTALLED,
    )
    return Section("Input pipeline", text, tuple(rows))
