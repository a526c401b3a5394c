"""Which pictures have which attributes: from CelebA's file, `dataset.json`, TFDS, drawn faces."""

import difflib
import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.data.labels import MAX_JSON_BYTES
from sfe_jax.data.sources import Record
from sfe_jax.evaluation.sets import PictureSet, stem_of


@dataclass(frozen=True, eq=False)
class AttributeTable:
    """Attributes of N pictures."""

    names: tuple[str, ...]  # Of the A attributes.
    present: np.ndarray  # bool [N, A], in the order of the pictures.
    where: str  # What says so, for messages.

    def has(self, name: str) -> np.ndarray:
        """Which pictures have an attribute, bool [N].

        Raises:
            OptionError: If it is unknown.
        """
        if name not in self.names:
            near = ", ".join(difflib.get_close_matches(name, self.names, n=3, cutoff=0.4))
            hint = f"nearest: {near}" if near else f"it has {', '.join(self.names[:12])}"
            raise OptionError(f"{self.where}: has no attribute {name!r}; {hint}")
        return self.present[:, self.names.index(name)]


# CelebA's file.


def _row(line: str, size: int, where: str) -> tuple[str, list[bool]]:
    """Name without suffix, and the attributes of a picture."""
    name, *values = line.split()
    is_file = bool(pathlib.PurePosixPath(name).name)
    if not is_file or len(values) != size or not set(values) <= {"1", "-1", "0"}:
        raise FileFormatError(
            f"{where}: holds {line[:40]!r}; required are a file name and {size} values of 1 or -1"
        )
    return stem_of(name), [value == "1" for value in values]


def parse_annotation(text: str, where: str) -> tuple[tuple[str, ...], dict[str, list[bool]]]:
    """Reads CelebA's list of attributes.

    Args:
        text: A line with the number of pictures, one with the names of the attributes, and one for
            each picture: its file's name, and 1 or -1 for each attribute.
        where: Name of the file, for messages.

    Returns:
        Names of attributes, and name of a picture without suffix -> whether it has each.

    Raises:
        FileFormatError: If it is not of this form.

    Source: CelebAMask-HQ-attribute-anno.txt; CelebA list_attr_celeba.txt.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    first, second = [*lines, "", ""][:2]
    count, names = first.strip(), tuple(second.split())
    # Of more than nine digits it would be no number of pictures.
    announced = count.isdecimal() and len(count) <= 9
    if not announced or not 0 < len(names) == len(set(names)):
        raise FileFormatError(
            f"{where}: does not begin with a number of pictures and a line of names, each once; "
            "required is CelebA's list of attributes"
        )
    rows = dict(
        _row(line, len(names), f"{where}, picture {number}")
        for number, line in enumerate(lines[2:], start=1)
    )
    if len(rows) != int(count):
        raise FileFormatError(
            f"{where}: names {len(rows)} pictures where {count} are announced; get it again"
        )
    return names, rows


def read_annotation(path: str | os.PathLike[str], pictures: PictureSet) -> AttributeTable:
    """The attributes of pictures from a file in CelebA's form, matched by name without suffix.

    Raises:
        FileFormatError: If the file cannot be read, or lacks a picture.
    """
    path = pathlib.Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_JSON_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileFormatError(f"{path}: cannot be read ({reason}); name the file") from error
    names, rows = parse_annotation(text, str(path))
    stems = [pictures.stem(number) for number in pictures.numbers.tolist()]
    if missing := [stem for stem in stems if stem not in rows]:
        raise FileFormatError(
            f"{path}: has no line for {len(missing)} of {len(stems)} pictures, the first is "
            f"{missing[0]!r}; it names {next(iter(rows), 'none')!r} and so on: use the file that "
            "belongs to the pictures"
        )
    present = np.array([rows[stem] for stem in stems], bool).reshape(len(stems), len(names))
    return AttributeTable(names, present, str(path))


# What a source knows itself.


def _drawn(values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Attributes [12] of a drawn face; it has those in the upper half of their range."""
    middles = np.array([(row.low + row.high) / 2 for row in ATTRIBUTES], np.float32)
    return tuple(row.name for row in ATTRIBUTES), values > middles


def _of_record(record: Record, size: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and presence [A] of what a record says of its picture.

    A dict of numbers has its own names; of a class or a vector the places are the names.
    """
    attributes: Any = record.get("attributes")
    if isinstance(attributes, dict):
        return tuple(attributes), np.array([bool(x > 0) for x in attributes.values()])
    if attributes is not None and np.shape(attributes) == (len(ATTRIBUTES),):
        return _drawn(np.asarray(attributes))
    label = record.get("label")
    if label is None:
        raise KeyError("label")
    places = np.arange(size) == label if np.ndim(label) == 0 else np.asarray(label) > 0
    return tuple(map(str, range(size))), places


def read_labels(pictures: PictureSet, names: Sequence[str] = ()) -> AttributeTable:
    """The attributes that a source knows of its pictures.

    Args:
        pictures: Procedural faces; a TFDS data set with "attributes" or "label"; or a folder or zip
            with the labels of its `dataset.json`.
        names: Of the places of a label; () takes their numbers.

    Raises:
        OptionError: If the source knows none, or `names` are not as many as the places.
    """
    source, size = pictures.source, pictures.source.label_size
    where = source.name(int(pictures.numbers[0]))
    labels = getattr(source, "labels", None)  # Of files, whose pictures need not be read for them.
    try:
        found = [
            _of_record(source[n] if labels is None else {"label": labels[n]}, size)
            for n in pictures.numbers.tolist()
        ]
    except KeyError:
        raise OptionError(
            f"{where}: its source has no labels; required is a dataset.json, or `annotation` with "
            "the name of a file in CelebA's form"
        ) from None
    known = tuple(names) or found[0][0]
    if len(known) != len(found[0][0]):
        raise OptionError(
            f"`label_names` are {len(known)}; the labels of {where} have {len(found[0][0])} places"
        )
    return AttributeTable(known, np.stack([present for _, present in found]), where)
