"""One official file to its networks or directions."""

import pathlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from convert_weights.kinds.kind import Converted
from convert_weights.kinds.table import by_name, detect
from sfe_jax.core.errors import FileFormatError, SfeError, WeightsError
from sfe_jax.edits.files import FILES, find_direction_files, read_direction_file
from sfe_jax.pipelines.bundle import Source, is_bundle, load_bundle
from sfe_jax.readers import read, sha256

_NOT_LAID_OUT_SO = (KeyError, AttributeError, IndexError, TypeError, ValueError)
"""What a content of another structure raises where no check of ours comes first."""


def expand_folders(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Files as given; a folder stands for the published direction files in it.

    Raises:
        EditError: If a folder holds none, or one of them twice.
    """
    files: list[pathlib.Path] = []
    for path in paths:
        files += find_direction_files(path).values() if path.is_dir() else [path]
    return files


@contextmanager
def _named(path: pathlib.Path) -> Iterator[None]:
    """Puts the file's name before what readers say of an object inside it."""
    try:
        yield
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error


def convert_source(path: pathlib.Path, kind: str | None = None) -> tuple[Source, Converted]:
    """Converts one file.

    Args:
        path: An official file, a published direction file, or a bundle of ours.
        kind: A name of `kinds.table.KINDS`; None detects it from the keys.

    Returns:
        The file's name and digest, and what it gives.

    Raises:
        FileFormatError: If the file is broken or unsafe.
        WeightsError: If its kind is unknown, or arrays are missing, unexpected or mis-shaped.
    """
    if is_bundle(path):
        bundle = load_bundle(path)
        return Source(path.name, sha256(path)), Converted(
            "bundle", bundle.networks, bundle.directions, records=bundle.records
        )
    array = next((array for array, file in FILES.items() if file == path.name), None)
    if array:
        directions = read_direction_file(array, path)
        return Source(path.name, sha256(path)), Converted("direction", directions=directions)
    content = read(path)
    with _named(path):
        chosen = by_name(kind) if kind else detect(content, str(path))
    try:
        with _named(path):
            converted = chosen.convert(content, str(path))
    except SfeError:
        raise
    except _NOT_LAID_OUT_SO as error:
        raise WeightsError(
            f"{path}: not laid out as {chosen.name} weights are ({type(error).__name__}: {error}); "
            "see what it holds with --inspect"
        ) from error
    if not (converted.networks or converted.directions):
        raise WeightsError(f"{path}: holds no network of {chosen.name}; look with --inspect")
    return Source(path.name, sha256(path)), converted
