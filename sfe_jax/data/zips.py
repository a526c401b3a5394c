"""Pictures in a zip archive, as StyleGAN's `dataset_tool` writes them; never unpacked to disk."""

import contextlib
import os
import pathlib
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator

from sfe_jax.core.errors import FileFormatError, ImageError, SfeError
from sfe_jax.core.images import MAX_FILE_BYTES, SUFFIXES
from sfe_jax.data.labels import MAX_JSON_BYTES
from sfe_jax.data.sources import PictureFiles

# What `zipfile` raises for damaged archives; the last two for encryption and unknown methods.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)

# The methods whose memory is bounded by what they give; an LZMA header can ask for gigabytes.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def _zip_errors(where: str, kind: type[SfeError]) -> Iterator[None]:
    """Turns what `zipfile` says about a damaged archive into one line of ours."""
    try:
        yield
    except _ZIP_ERRORS as error:
        reason = getattr(error, "strerror", None) or error
        raise kind(f"{where}: cannot be read ({reason}); get the archive again") from error


def _check_names(path: pathlib.Path, archive: zipfile.ZipFile) -> None:
    """Refuses names that no data set has; they would be harmless here, but not everywhere."""
    taken: set[str] = set()
    for name in archive.namelist():
        parts = name.removesuffix("/").split("/")
        if not {"", ".", ".."}.isdisjoint(parts) or "\\" in name or not name.isprintable():
            raise FileFormatError(f"{path}: has a member {name!r}; an unsafe path, pack it again")
        if name in taken:
            raise FileFormatError(f"{path}: has two members {name!r}; pack it again")
        taken.add(name)


def _is_picture(name: str) -> bool:
    """Whether a member is a picture, and not hidden."""
    parts = pathlib.PurePosixPath(name).parts
    shown = not any(part.startswith(".") for part in parts)
    return shown and pathlib.PurePosixPath(name).suffix.lower() in SUFFIXES


def _content(archive: zipfile.ZipFile, name: str, *, limit: int) -> bytes:
    """Reads a member of at most `limit` bytes.

    Raises:
        ValueError: If it is larger, or compressed in an unusual way.
    """
    member = archive.getinfo(name)
    if member.file_size > limit:
        raise ValueError(f"it has {member.file_size} bytes, at most {limit} are read")
    if member.compress_type not in _METHODS:
        raise ValueError("it is neither stored nor deflated")
    with archive.open(member) as file:
        return file.read(limit + 1)  # At most `file_size`, whatever the packed bytes unpack to.


class ZipSource(PictureFiles):
    """All pictures in a zip archive, sorted, with the labels of its `dataset.json` if it has one.

    Source: stylegan2-ada-pytorch, `training/dataset.py`.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Reads the directory and the labels; no picture yet.

        Raises:
            FileFormatError: If the archive is broken, has unsafe or repeated names, no picture, or
                labels that cannot be used.
        """
        path = pathlib.Path(path)
        self._lock = threading.Lock()
        with _zip_errors(str(path), FileFormatError):
            self._archive = zipfile.ZipFile(path)
        _check_names(path, self._archive)
        names = sorted(filter(_is_picture, self._archive.namelist()))
        if not names:
            known = ", ".join(SUFFIXES)
            raise FileFormatError(f"{path}: holds no picture; required is one of {known}")
        labels = None
        if "dataset.json" in self._archive.namelist():
            with _zip_errors(f"{path}/dataset.json", FileFormatError):
                labels = _content(self._archive, "dataset.json", limit=MAX_JSON_BYTES)
        super().__init__(path, names, labels)

    def __reduce__(self) -> tuple[type["ZipSource"], tuple[pathlib.Path]]:
        return ZipSource, (self.path,)

    def read(self, index: int) -> bytes:
        """Content of file `index`; see `PictureFiles.read`."""
        # `zipfile` counts its readers without a lock, and would close the file under them.
        with self._lock, _zip_errors(self.name(index), ImageError):
            return _content(self._archive, self.names[index], limit=MAX_FILE_BYTES)
