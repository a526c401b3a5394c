"""Scores of inversions, printed and kept as JSON beside the pictures."""

import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from sfe_jax.cli.options import free_name
from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.core.files import written_whole
from sfe_jax.core.json_files import parse_json

REPORTS = (
    "edits.json",
    "inversions.json",
    "projections.json",
    "translations.json",
    "tunings.json",
)
"""Of the commands that write a folder for each picture; in one folder they share its name."""


def describe_scores(scores: dict[str, float]) -> str:
    """Scores in a few words, such as "L2 0.0021, identity 0.93"; none if there are none."""
    words = [f"L2 {scores['l2']:.4f}"] if "l2" in scores else []
    if "identity" in scores:
        words.append(f"identity {scores['identity']:.3f}")
    return ", ".join(words)


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes `content`, arrays as lists: whole, or not at all.

    Raises:
        OptionError: If the file cannot be written.
    """

    def plain(value: object) -> object:
        return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)

    try:
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2, default=plain) + "\n")
    except OSError as error:
        reason = f"cannot be written ({error.strerror})"
        raise OptionError(f"{path}: {reason}; choose another folder") from error


def _check_writable(path: pathlib.Path) -> None:
    """Raises unless a file and its folder can be written, or made."""
    folder = path.parent
    nearest = next(above for above in (folder, *folder.absolute().parents) if above.exists())
    if path.is_dir() or not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        odd = path if path.is_dir() else nearest
        raise OptionError(f"{path}: cannot be written, because of {odd}; choose another --out")


def _read_records(path: pathlib.Path) -> list[dict[str, Any]]:
    """The records that earlier runs left; none if there is no file."""
    if not path.exists():
        return []
    records = parse_json(path.read_bytes(), where=str(path))
    entries = records if isinstance(records, list) else [records]
    for entry in entries:
        match entry:
            case {"image": str(), "name": str(name)} if name == pathlib.PurePath(name).name != "..":
                continue
        raise FileFormatError(f"{path}: is no report of an earlier run; choose another folder")
    return entries


def _identity(image: str | pathlib.Path) -> str:
    """What tells a picture from others, however its path is written."""
    return os.path.abspath(image)


def _name(records: list[dict[str, Any]], images: Iterable[pathlib.Path]) -> list[str]:
    """The name of each picture's results: that of its record, or one that nothing has taken."""
    named = {_identity(record["image"]): record["name"] for record in records}
    taken = {name.casefold() for name in named.values()}
    return [named.get(_identity(image)) or free_name(image.stem, taken) for image in images]


def _shared_records(folder: pathlib.Path) -> list[dict[str, Any]]:
    """The records of all `REPORTS` of a folder."""
    return [record for name in REPORTS for record in _read_records(folder / name)]


def find_results(folder: pathlib.Path, images: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Folders in which earlier runs left the results of pictures.

    Args:
        folder: That of the runs.
        images: The pictures; one that no report names is looked for under its own name.

    Raises:
        FileFormatError: If a report cannot be read.
    """
    return [folder / name for name in _name(_shared_records(folder), images)]


class Report:
    """Records of pictures in a JSON file, beside those that earlier runs left of other pictures."""

    def __init__(self, path: pathlib.Path, images: Iterable[pathlib.Path]) -> None:
        """Names the results: a picture keeps the name that it had, and shares it with no other.

        Args:
            path: Of the file; results are written to its folder.
            images: The pictures, of which results are made.

        Raises:
            OptionError: If the folder cannot be written.
            FileFormatError: If there is a file that is no report.
        """
        _check_writable(path)
        self.path, self._records = path, _read_records(path)
        known = [*_shared_records(path.parent), *self._records]
        self.names = _name(known, images)
        names = (*self.names, *(record["name"] for record in known))
        self.taken = {name.casefold() for name in names}  # Also those of other pictures.

    @property
    def folders(self) -> list[pathlib.Path]:
        """A folder for the results of each picture."""
        return [self.path.parent / name for name in self.names]

    def add(self, records: list[dict[str, Any]]) -> None:
        """Writes records, in place of older ones of the same pictures.

        Args:
            records: Each has "image", the path of its picture, and "name", that of its results.

        Raises:
            OptionError: If the file cannot be written.
        """
        images = {_identity(record["image"]) for record in records}
        others = [r for r in self._records if _identity(r["image"]) not in images]
        self._records = [*others, *records]
        write_json(self.path, self._records)
