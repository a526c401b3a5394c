"""Opens a file from outside: tells its format by its content, and reads it without running it."""

import enum
import hashlib
import io
import mmap
import pathlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import DEFAULT_LIMITS, Budget, Limits
from sfe_jax.readers.messages import BROKEN
from sfe_jax.readers.numpy_files import read_npy, read_npz
from sfe_jax.readers.nvidia import PERSISTENT_GLOBALS, PICKLE_GLOBALS
from sfe_jax.readers.pickles import check_nesting, run_pickle
from sfe_jax.readers.safetensors_files import read_safetensors
from sfe_jax.readers.streams import ByteStream
from sfe_jax.readers.torch_files import (
    LEGACY_MAGIC,
    SCRIPT_GLOBALS,
    find_root,
    is_script,
    read_torch_legacy,
    read_torch_zip,
)
from sfe_jax.readers.zip_files import Archive

# What parsing of hostile bytes can raise where a check of ours does not come first.
_PARSING_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RecursionError,
    struct.error,
    zlib.error,
)
_LEGACY_START = b"\x8a\x0a" + LEGACY_MAGIC.to_bytes(10, "little")  # LONG1 of ten bytes.


class Format(enum.Enum):
    """The formats that `read` knows."""

    TORCH_ZIP = "torch zip"
    TORCHSCRIPT = "TorchScript archive"
    TORCH_LEGACY = "torch stream from before PyTorch 1.6"
    SAFETENSORS = "safetensors"
    NPY = "npy"
    NPZ = "npz"
    PICKLE = "pickle"


@contextmanager
def _opened(path: pathlib.Path) -> Iterator[io.BufferedReader]:
    """Opens a regular file, and turns whatever goes wrong inside into one line with its path."""
    shown = str(path) if str(path).isprintable() else ascii(str(path))[1:-1]
    try:
        if not path.exists():
            raise FileFormatError("there is no such file; check the path")
        if not path.is_file():
            raise FileFormatError("this is not a regular file; give the path of a file")
        with path.open("rb") as stream:
            yield stream
    except FileFormatError as error:
        raise FileFormatError(f"{shown}: {error}") from error.__cause__
    except OSError as error:
        raise FileFormatError(f"{shown}: cannot be opened ({error.strerror})") from error
    except _PARSING_ERRORS as error:
        raise FileFormatError(f"{shown}: {BROKEN} ({type(error).__name__})") from error


def _map(stream: io.BufferedReader, limits: Limits) -> memoryview:
    """The content of a file without reading it: arrays that view it load their pages when used."""
    size = stream.seek(0, 2)
    if size == 0:
        raise FileFormatError("the file is empty; download it again")
    if size > limits.file_bytes:
        raise FileFormatError(f"the file has {size} bytes; at most {limits.file_bytes} are read")
    return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _zip_format(archive: Archive) -> Format:
    if find_root(archive) is not None:
        return Format.TORCHSCRIPT if is_script(archive) else Format.TORCH_ZIP
    if archive.members and all(name.endswith(".npy") for name in archive.members):
        return Format.NPZ
    raise FileFormatError(
        "the zip holds neither one data.pkl of torch nor .npy arrays only; give a checkpoint"
    )


def _format_of(data: memoryview, budget: Budget) -> Format:
    start = bytes(data[:32])
    if start.startswith(b"PK\3\4"):
        return _zip_format(Archive(data, budget=budget))
    if start.startswith(b"\x93NUMPY"):
        return Format.NPY
    is_pickle = start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5")
    has_header = start[8:9] == b"{"
    if has_header and (not is_pickle or int.from_bytes(start[:8], "little") < len(data)):
        return Format.SAFETENSORS
    if is_pickle:
        legacy = start.find(_LEGACY_START) in (2, 11)  # Behind PROTO, or PROTO and FRAME.
        return Format.TORCH_LEGACY if legacy else Format.PICKLE
    choices = ", ".join(known.value for known in Format)
    raise FileFormatError(f"the format is unknown; known are {choices}")


def sniff(path: str | pathlib.Path) -> Format:
    """Tells the format of a file by its first bytes, and of a zip by its members.

    Raises:
        FileFormatError: If the file cannot be opened or is of no known format.
    """
    with _opened(pathlib.Path(path)) as stream:
        data = _map(stream, DEFAULT_LIMITS)
        return _format_of(data, Budget(DEFAULT_LIMITS, file_bytes=len(data)))


def sha256(path: str | pathlib.Path) -> str:
    """Returns the SHA-256 of a file as 64 hexadecimal digits.

    Raises:
        FileFormatError: If the file cannot be opened.
    """
    with _opened(pathlib.Path(path)) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_pickle(data: memoryview, budget: Budget) -> object:
    stream = ByteStream(data)
    content = run_pickle(stream, PICKLE_GLOBALS, budget=budget, title="the pickle")
    if stream.tell() != len(data):
        raise FileFormatError(
            f"{len(data) - stream.tell()} bytes follow the pickle; save one object per file"
        )
    return content


def _read_content(data: memoryview, budget: Budget) -> object:
    match _format_of(data, budget):
        case Format.TORCH_ZIP:
            return read_torch_zip(Archive(data, budget=budget), PERSISTENT_GLOBALS, budget=budget)
        case Format.TORCHSCRIPT:
            return read_torch_zip(Archive(data, budget=budget), SCRIPT_GLOBALS, budget=budget)
        case Format.TORCH_LEGACY:
            return read_torch_legacy(ByteStream(data), PERSISTENT_GLOBALS, budget=budget)
        case Format.SAFETENSORS:
            return read_safetensors(data, budget=budget)
        case Format.NPY:
            return read_npy(data, budget=budget)
        case Format.NPZ:
            return read_npz(Archive(data, budget=budget), budget=budget)
        case Format.PICKLE:
            return _read_pickle(data, budget)


def read(path: str | pathlib.Path, *, limits: Limits = DEFAULT_LIMITS) -> object:
    """Reads the whole content of a file from outside, without executing any of it.

    Args:
        path: A file in one of the formats of `Format`; its ending does not matter.
        limits: What it may cost.

    Returns:
        Plain Python: dict, list, tuple, set, text, bytes, numbers, NumPy arrays in the layout of
        the file, and `Record`s for instances of classes. Arrays may be read-only views of the
        file, share memory and have any strides; do not change the file while they are in use.

    Raises:
        FileFormatError: One line with the path, what was met, and what to do about it.
    """
    with _opened(pathlib.Path(path)) as stream:
        data = _map(stream, limits)
        content = _read_content(data, Budget(limits, file_bytes=len(data)))
        check_nesting(content, depth=limits.depth)
        return content
