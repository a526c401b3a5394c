"""Pairs: pictures, and what an encoder reads of each, such as a sketch, in a second place."""

import pathlib

import numpy as np

from sfe_jax.core.errors import LabelsError, OptionError
from sfe_jax.core.images import decode_ids
from sfe_jax.data.pictures import Form, to_form
from sfe_jax.data.sources import PictureFiles, Record

NAMED = 3
"""Pictures without a partner that a message names; of the others it gives the count."""


def _by_name(files: PictureFiles) -> dict[str, int]:
    """Path without suffix -> number of the picture.

    Raises:
        OptionError: If two differ in their suffix alone.
    """
    found: dict[str, int] = {}
    for index, path in enumerate(files.names):
        name = pathlib.PurePosixPath(path).with_suffix("").as_posix()
        if name in found:
            raise OptionError(
                f"{files.path}: {files.names[found[name]]!r} and {path!r} differ in their suffix "
                "alone, which does not count in pairs; remove one"
            )
        found[name] = index
    return found


def _check_partners(files: PictureFiles, missing: list[str], other: PictureFiles) -> None:
    """Raises unless no picture of `files` is `missing` in `other`."""
    if missing:
        first = ", ".join(map(repr, missing[:NAMED]))
        raise OptionError(
            f"{files.path}: {len(missing)} of {len(files)} pictures have no partner in "
            f"{other.path}, such as {first}; required is one of the same path for each, whatever "
            "its suffix"
        )


def _label_map(files: PictureFiles, index: int, ids: int) -> np.ndarray:
    """Labels [H, W, 1] of file `index`.

    Raises:
        ImageError: If it is broken.
        OptionError: If it is no map of labels below `ids`: others are then likely to be none.
    """
    try:
        return decode_ids(files.read(index), files.name(index), count=ids)[..., None]
    except LabelsError as error:
        raise OptionError(f"{error}; or set `condition_channels`, now {ids}") from error


class PairedSource:
    """Pictures, each with a second one beside it in the record, as "condition".

    Partners have the same path below their places, but for the suffix. The original pairs by order,
    where one file too many mispairs all that follow, silently.

    Attributes:
        label_size: As in `Source`, of the pictures.

    Source: pixel2style2pixel datasets/images_dataset.py.
    """

    def __init__(
        self, pictures: PictureFiles, conditions: PictureFiles, *, channels: int, form: Form
    ):
        """Finds the partner of each picture; none is opened yet.

        Args:
            pictures: A folder or an archive.
            conditions: Another, with as many.
            channels: 3 for pictures, 1 for sketches, n for maps of the labels 0 to n - 1; 4 if
                these are three.
            form: Of the pictures; `conditions` become alike, but for their channels, and the labels
                are resized by "nearest".

        Raises:
            OptionError: If one has no partner, or two names differ in their suffix alone.
        """
        self._pictures, self._conditions = pictures, conditions
        self._ids = 0 if channels in (1, 3) else channels
        self._form = Form(
            form.resolution,
            3 if channels == 3 else 1,
            form.transform,
            "nearest" if self._ids else form.resize_filter,
            form.alpha,
        )
        partners, names = _by_name(conditions), _by_name(pictures)
        _check_partners(pictures, sorted(names.keys() - partners.keys()), conditions)
        _check_partners(conditions, sorted(partners.keys() - names.keys()), pictures)
        self._partner = [partners[name] for name in names]
        self.label_size = pictures.label_size

    def __len__(self) -> int:
        return len(self._partner)

    def name(self, index: int) -> str:
        """Path of picture `index`."""
        return self._pictures.name(index)

    def __getitem__(self, index: int) -> Record:
        conditions, partner = self._conditions, self._partner[index]
        if self._ids:
            condition = _label_map(conditions, partner, self._ids)
        else:
            condition = conditions[partner]["image"]
        formed = to_form(condition, self._form, conditions.name(partner))
        return {**self._pictures[index], "condition": formed}
