"""Prepared TFDS data sets, read by random access without TensorFlow."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import tensorflow_datasets as tfds
from google.protobuf.message import DecodeError

from sfe_jax.core.errors import FileFormatError, ImageError, OptionError
from sfe_jax.data.pictures import decode_picture
from sfe_jax.data.sources import Record
from sfe_jax.data.tfds_folders import PREPARE, find_folder, open_folder

# What ArrayRecord, protobuf and TFDS say of a damaged record.
_DECODING_ERRORS = (RuntimeError, DecodeError, ValueError, KeyError, TypeError)


def _find_image(features: Mapping[str, Any], where: str) -> str:
    """Name of the feature that holds the picture: "image", or the only one there is."""
    images = [name for name, kind in features.items() if isinstance(kind, tfds.features.Image)]
    if "image" in images or len(images) == 1:
        return "image" if "image" in images else images[0]
    held = ", ".join(features)
    raise FileFormatError(f"{where}: needs a feature 'image', or one picture alone; it has {held}")


def _label_size(feature: Any) -> int:
    """Number of classes, length of a vector of numbers, or 0 if the feature is neither."""
    if isinstance(feature, tfds.features.ClassLabel):
        return feature.num_classes or 0
    return feature.shape[0] if _is_fixed(feature) and len(feature.shape) == 1 else 0


def _is_fixed(feature: Any) -> bool:
    """Whether a feature holds numbers in an array of one shape, so that records can be stacked."""
    if isinstance(feature, tfds.features.FeaturesDict):
        return all(map(_is_fixed, feature.values()))
    if not isinstance(feature, tfds.features.Tensor):
        return False
    numbers: Any = feature  # Its types admit trees of shapes, which tensors do not have.
    return None not in numbers.shape and np.dtype(numbers.np_dtype).kind in "biuf"


class TfdsSource:
    """One split of a prepared data set.

    Its picture becomes "image", its classes or vector "label" become "label"; other numbers of
    fixed shape are kept under their names. Text, sequences and further pictures are left out.

    Attributes:
        label_size: As in `Source`.
    """

    def __init__(self, folder: str | os.PathLike[str], split: str):
        """Opens the data set.

        Args:
            folder: Where it lies: `.../NAME/CONFIG/VERSION`.
            split: Such as "train" or "train[:50%]".

        Raises:
            FileFormatError: If it is damaged, names Python classes that are not of TFDS, is not
                stored as ArrayRecord, or holds no picture.
            OptionError: If it has no such split.
        """
        self._folder, self._split = pathlib.Path(folder), split
        builder = open_folder(folder)
        if not isinstance(builder.info.features, tfds.features.FeaturesDict):
            raise FileFormatError(f"{folder}: has no named features; a picture is required")
        features = dict(builder.info.features.items())
        self._image = _find_image(features, str(folder))
        self.label_size = _label_size(features.get("label"))
        left_out = {self._image} if self.label_size else {self._image, "label"}
        self._kept = [k for k, kind in features.items() if k not in left_out and _is_fixed(kind)]
        self._records = _open_split(builder, split, image=self._image)

    def __reduce__(self) -> tuple[type["TfdsSource"], tuple[pathlib.Path, str]]:
        return TfdsSource, (self._folder, self._split)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        try:
            fields = self._records[index]
        except _DECODING_ERRORS as error:
            reason = f"cannot be read ({str(error)[:200]!r})"
            raise ImageError(f"{self.name(index)}: {reason}; get the data set again") from error
        image = decode_picture(fields[self._image], self.name(index))
        return {"image": image, **jax.tree.map(np.asarray, {k: fields[k] for k in self._kept})}

    def name(self, index: int) -> str:
        """Folder, split and number of record `index`."""
        return f"{self._folder}:{self._split}[{index}]"


def _open_split(builder: Any, split: str, *, image: str) -> Any:
    """Opens a split, pictures left encoded: they are decoded under our own limits."""
    folder = builder.data_dir
    try:
        return builder.as_data_source(split=split, decoders={image: tfds.decode.SkipDecoding()})
    except NotImplementedError as error:
        stored = builder.info.file_format
        raise FileFormatError(f"{folder}: is stored as {stored}; {PREPARE}") from error
    except ValueError as error:
        known = ", ".join(builder.info.splits)
        raise OptionError(
            f"{folder}: has no split {split!r}; required is one of {known}"
        ) from error


def open_tfds(
    name: str, split: str, *, data_dir: str | os.PathLike[str] | None = None
) -> TfdsSource:
    """Opens a prepared data set by its name.

    Args:
        name: As `find_folder` takes it.
        split: Such as "train" or "train[:50%]".
        data_dir: Where TFDS keeps its data sets; None for its own choice.

    Raises:
        OptionError: If the split is unknown, or the data set is not prepared.
        FileFormatError: As `TfdsSource`.
    """
    return TfdsSource(find_folder(name, data_dir=data_dir), split)
