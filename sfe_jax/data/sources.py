"""A source: pictures with their labels by number, read when asked for."""

import abc
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

from sfe_jax.data.labels import arrange_labels, parse_labels, size_of_labels
from sfe_jax.data.pictures import decode_picture

Record = dict[str, Any]
"""One picture: "image" uint8 [H, W, C] with C of 1, 3 or 4 (alpha); "label", int64 [] or float32
[c], where there are labels; and whatever else a source knows, as arrays of fixed shape."""


class Source(Protocol):
    """Random access to N records. Picklable, and safe to read from several threads."""

    @property
    def label_size(self) -> int:
        """Number of classes, length of label vectors, or 0 without labels."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record:
        """Reads a record.

        Raises:
            ImageError: If this one cannot be read; others may well be.
        """
        ...

    def name(self, index: int, /) -> str:
        """Where record `index` is to be found, for messages."""
        ...


def label_size(source: Source) -> int:
    """Number of classes, length of label vectors, or 0 without labels."""
    return source.label_size


class PictureFiles(abc.ABC):
    """Picture files below one place, with labels from the `dataset.json` there, if any.

    Attributes:
        path: The folder or the archive.
        names: Paths of the pictures below it, sorted, with slashes.
        labels: int64 [N], float32 [N, c], or None.
        label_size: As in `Source`.
    """

    def __init__(self, path: pathlib.Path, names: Sequence[str], labels: bytes | None):
        """Keeps names and labels.

        Args:
            path: The folder or the archive.
            names: Paths below it.
            labels: Content of `dataset.json`, or None where there is no such file.

        Raises:
            FileFormatError: If the labels cannot be used.
        """
        where = f"{path}/dataset.json"
        self.path = path
        self.names = list(names)
        parsed = None if labels is None else parse_labels(labels, where)
        self.labels = arrange_labels(parsed, self.names, where)
        self.label_size = size_of_labels(self.labels)

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Path of picture `index`."""
        return f"{self.path}/{self.names[index]}"

    @abc.abstractmethod
    def read(self, index: int) -> bytes:
        """Content of file `index`.

        Raises:
            ImageError: If it cannot be had, or is too large.
        """

    def __getitem__(self, index: int) -> Record:
        record: Record = {"image": decode_picture(self.read(index), self.name(index))}
        if self.labels is not None:
            record["label"] = self.labels[index]
        return record
