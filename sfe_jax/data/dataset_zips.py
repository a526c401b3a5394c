"""Data sets in StyleGAN's zip format, written whole or not at all, and checked."""

import json
import os
import pathlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sfe_jax.core.errors import ImageError, OptionError
from sfe_jax.core.files import written_whole
from sfe_jax.data.pictures import encode_png
from sfe_jax.data.sources import Record, Source


@dataclass(frozen=True)
class Summary:
    """What a data set holds.

    Attributes:
        pictures: How many.
        shape: (R, R, C) of each.
        label_size: Number of classes, length of label vectors, or 0 without labels.
    """

    pictures: int
    shape: tuple[int, ...]
    label_size: int

    def __str__(self) -> str:
        side, _, channels = self.shape
        labels = f"labels of size {self.label_size}" if self.label_size else "no labels"
        return f"{self.pictures} pictures, {side} x {side}, {channels} channels, {labels}"


def _check_picture(image: np.ndarray, shape: tuple[int, ...] | None, name: str) -> None:
    """Raises unless a picture is square, a power of two a side, and of `shape` if there is one."""
    height, width, channels = image.shape
    found = f"{name}: is {width} x {height} with {channels} channels"
    if height != width or height & (height - 1) or channels not in (1, 3):
        required = "a square, a power of two a side, in RGB or grey"
        raise ImageError(f"{found}; required is {required}: give a resolution and a transform")
    if shape is not None and image.shape != shape:
        raise ImageError(f"{found}; required is the shape of the others, {shape}: resize it")


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Stores a member; its fixed date makes equal data sets equal files."""
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o644 << 16
    archive.writestr(member, content)


def _label_size(label: object) -> int:
    """Length of a vector; the least number of classes if the label is one."""
    vector = np.asarray(label)
    return vector.size if vector.ndim else int(vector) + 1


def _fill(
    archive: zipfile.ZipFile, records: Iterable[tuple[str, Record]], path: pathlib.Path
) -> Summary:
    """Stores all pictures and their labels; `path` is for messages."""
    labels: list[tuple[str, int | list[float]]] = []
    shape, count, label_size = None, 0, 0
    for where, record in records:
        _check_picture(record["image"], shape, where)
        shape = record["image"].shape
        name = f"{count // 1000:05d}/img{count:08d}.png"
        _add(archive, name, encode_png(record["image"]))
        if "label" in record:
            labels.append((name, np.asarray(record["label"]).tolist()))
            label_size = max(label_size, _label_size(record["label"]))
        count += 1
    if shape is None:
        raise ImageError(f"{path}: there is no picture to write; give other data")
    _add(archive, "dataset.json", json.dumps({"labels": labels or None}).encode())
    return Summary(count, shape, label_size)


def write_dataset(path: str | os.PathLike[str], records: Iterable[tuple[str, Record]]) -> Summary:
    """Writes `00000/img00000000.png`, ... and `dataset.json`, all stored uncompressed.

    Args:
        path: Of the archive; replaced if it exists, once the new one is whole.
        records: Where each picture comes from, for messages, and its record: "image" uint8
            [R, R, 1] or [R, R, 3]; "label" int [] or float [c], in all records or in none.

    Returns:
        What was written.

    Raises:
        ImageError: If a picture is not a square of a power of two a side, differs from the first in
            shape, or there is none.
        OptionError: If the file cannot be written.

    Source: stylegan2-ada-pytorch, `dataset_tool.py`.
    """
    path = pathlib.Path(path)
    try:
        with written_whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            return _fill(archive, records, path)
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise OptionError(f"{path}: {reason}; choose another place") from error


def check_dataset(source: Source, indices: Iterable[int]) -> tuple[Summary | None, list[str]]:
    """Reads every picture of a data set.

    Args:
        source: Of the data set.
        indices: Of all its records; a progress bar over them will do.

    Returns:
        What it holds, None if nothing is usable; and one line for each picture that cannot be used.
    """
    shape, faults = None, []
    for index in indices:
        try:
            image = source[index]["image"]
            _check_picture(image, shape, source.name(index))
            shape = image.shape
        except ImageError as error:
            faults.append(str(error))
    usable = len(source) - len(faults)
    return shape and Summary(usable, shape, source.label_size), faults
