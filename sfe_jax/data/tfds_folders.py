"""Folders of prepared TFDS data sets: found by name, and opened without running code of theirs."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core import constants

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.core.json_files import parse_json

PREPARE = "prepare it with download_and_prepare(file_format='array_record')"
"""The remedy where a data set is not there, or cannot be read."""

_TRUSTED = "tensorflow_datasets.core.features."


def _named_classes(description: Any, where: str) -> Iterator[str]:
    """Python classes that a description of features names, at any depth; TFDS imports them.

    Source: tensorflow_datasets, core/features/feature.py (`from_json`, `from_proto`).
    """
    left = [description]
    while left:
        content = left.pop()
        if isinstance(content, list):
            left += content
        for key, value in content.items() if isinstance(content, dict) else ():
            is_class = key in ("pythonClassName", "python_class_name")
            # Before TFDS 4.4 it was {"type": CLASS, "content": FIELDS}.
            is_class = is_class or (key == "type" and "content" in content)
            if is_class and isinstance(value, str):
                yield value
            elif key in ("json", "content") and isinstance(value, str):
                left.append(parse_json(value, where=where))
            else:
                left.append(value)


def _check_classes(folder: pathlib.Path) -> None:
    """Raises if opening a data set would import anything but features of TFDS itself."""
    for name in (constants.FEATURES_FILENAME, constants.DATASET_INFO_FILENAME):
        path = folder / name
        try:
            content = parse_json(path.read_bytes(), where=str(path))
        except FileNotFoundError:
            continue
        if name == constants.DATASET_INFO_FILENAME:
            content = content.get("features") if isinstance(content, dict) else None
        for named in _named_classes(content, str(path)):
            if not named.startswith(_TRUSTED):
                raise FileFormatError(
                    f"{path}: names the Python class {named[:80]!r}, which is not imported; "
                    f"required are features of {_TRUSTED}*"
                )


def open_folder(folder: str | os.PathLike[str]) -> Any:
    """Opens a prepared data set; no code is imported that its files name.

    Args:
        folder: Where it lies: `.../NAME/CONFIG/VERSION`.

    Returns:
        Its `tfds.core.DatasetBuilder`.

    Raises:
        FileFormatError: If a file is missing or damaged, or names a class that is not of TFDS.
    """
    # TFDS replaces a leading ~; what is checked must be what it opens.
    path = pathlib.Path(os.path.abspath(os.path.expanduser(folder)))
    try:
        _check_classes(path)
        return tfds.builder_from_directory(path)
    except FileFormatError:
        raise
    except Exception as error:  # Of damaged files TFDS, protobuf and the disk say anything.
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise FileFormatError(f"{folder}: is no data set of TFDS ({reason}); {PREPARE}") from error


def _versions(folder: pathlib.Path) -> list[pathlib.Path]:
    """The prepared versions in a folder, the newest last."""
    found = [path.parent for path in folder.glob(f"*/{constants.FEATURES_FILENAME}")]
    valid = [path for path in found if tfds.core.Version.is_valid(path.name)]
    return sorted(valid, key=lambda path: tfds.core.Version(path.name))


def find_folder(name: str, *, data_dir: str | os.PathLike[str] | None) -> pathlib.Path:
    """The folder of a prepared data set: its newest version.

    TFDS's own search would import what the files name before they can be checked.

    Args:
        name: NAME/CONFIG; or NAME, where there are no configurations, or one alone is prepared.
        data_dir: Where TFDS keeps its data sets; None for its own choice.

    Raises:
        OptionError: If it is not prepared there, or in several configurations.
    """
    folder = pathlib.Path(os.path.expanduser(data_dir or constants.DATA_DIR)) / name
    if versions := _versions(folder):
        return versions[-1]
    configs = {path.name: versions for path in folder.glob("*/") if (versions := _versions(path))}
    if len(configs) > 1:
        known = ", ".join(sorted(configs))
        raise OptionError(f"tfds:{name}: is prepared as {known}; name one: tfds:{name}/CONFIG")
    for versions in configs.values():
        return versions[-1]
    raise OptionError(f"tfds:{name}: is not prepared in {folder}; check the name, or {PREPARE}")
