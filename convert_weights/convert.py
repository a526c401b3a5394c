"""One official file to its networks or directions."""

import pathlib

from convert_weights.kinds import Converted, by_name, detect
from sfe_jax.core.errors import SfeError, WeightsError
from sfe_jax.edits.files import FILES, load_directions, read_ganspace, read_vector
from sfe_jax.pipelines.bundle import Source
from sfe_jax.readers import read, sha256

_NOT_LAID_OUT_SO = (KeyError, AttributeError, IndexError, TypeError, ValueError)
"""What a content of another structure raises where no check of ours comes first."""


def _convert_direction(path: pathlib.Path) -> Converted:
    """A published direction file, known by its name."""
    name = next(array for array, file in FILES.items() if file == path.name)
    if name.startswith("ganspace/"):
        arrays = {f"{name}/{part}": value for part, value in read_ganspace(path).items()}
    else:
        arrays = {name: read_vector(path)}
    return Converted("direction", directions=arrays)


def convert_source(path: pathlib.Path, kind: str | None = None) -> tuple[Source, Converted]:
    """Converts one file.

    Args:
        path: An official file, a published direction file, or a folder of those.
        kind: A name of `kinds.KINDS`; None detects it from the keys.

    Returns:
        The file's name and digest, and what it gives.

    Raises:
        FileFormatError: If the file is broken or unsafe.
        WeightsError: If its kind is unknown, or arrays are missing, unexpected or mis-shaped.
    """
    if path.is_dir():
        return Source(path.name, ""), Converted("directions", directions=load_directions(path))
    if path.name in FILES.values():
        return Source(path.name, sha256(path)), _convert_direction(path)
    content = read(path)
    chosen = by_name(kind) if kind else detect(content, str(path))
    try:
        converted = chosen.convert(content, str(path))
    except SfeError:
        raise
    except _NOT_LAID_OUT_SO as error:
        raise WeightsError(
            f"{path}: not laid out as {chosen.name} weights are ({type(error).__name__}: {error}); "
            "see what it holds with --inspect"
        ) from error
    if not converted.networks:
        raise WeightsError(f"{path}: holds no network of {chosen.name}; look with --inspect")
    return Source(path.name, sha256(path)), converted
