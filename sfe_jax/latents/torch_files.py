"""Writing one array as `torch.save` does, without torch: what `.pt` files of codes are.

The file is a zip of a pickle, which describes the tensor, and of its bytes. The pickle is spelled
out, since Python's own writes names of functions only of modules that it can import.

Source: PyTorch, torch/serialization.py and torch/_utils.py (`_rebuild_tensor_v2`).
"""

import pathlib
import pickle
import zipfile

import numpy as np

FOLDER = "archive"
"""Of the members in the zip, as `torch.save` names it."""

ALIGNMENT = 64
"""Bytes: where a multiple of this begins, torch can map the numbers."""


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    return pickle.BINUNICODE + len(text).to_bytes(4, "little") + text.encode()


def _integer(value: int) -> bytes:
    return pickle.BININT + value.to_bytes(4, "little", signed=True)


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _describe(array: np.ndarray) -> bytes:
    """The pickle of a contiguous float32 tensor whose numbers are the member data/0."""
    strides = [stride // array.itemsize for stride in array.strides]
    storage = _tuple(
        _text("storage"),
        _global("torch", "FloatStorage"),
        _text("0"),
        _text("cpu"),
        _integer(array.size),
    )
    hooks = _global("collections", "OrderedDict") + _tuple() + pickle.REDUCE
    arguments = _tuple(
        storage + pickle.BINPERSID,
        _integer(0),  # Where the tensor begins in its storage.
        _tuple(*map(_integer, array.shape)),
        _tuple(*map(_integer, strides)),
        pickle.NEWFALSE,  # No gradient is asked for.
        hooks,
    )
    rebuilt = _global("torch._utils", "_rebuild_tensor_v2") + arguments + pickle.REDUCE
    return pickle.PROTO + b"\x02" + rebuilt + pickle.STOP


def _write_aligned(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Adds a member whose content begins at a multiple of `ALIGNMENT`, by a field of padding."""
    info = zipfile.ZipInfo(name)  # Of 1980, so that equal codes give equal files.
    header = 30 + len(name) + 4  # Of the member, of its name, and of the field before its padding.
    position = archive.fp.tell() if archive.fp else 0
    padding = -(position + header) % ALIGNMENT
    info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
    archive.writestr(info, content)


def write_tensor(path: pathlib.Path, array: np.ndarray) -> None:
    """Writes `array` as a float32 tensor.

    Args:
        path: The file.
        array: Any shape; fewer than 2**31 numbers.

    Raises:
        OSError: If the file cannot be written.
    """
    array = np.ascontiguousarray(array, "<f4")
    with zipfile.ZipFile(path, "w") as archive:
        _write_aligned(archive, f"{FOLDER}/data.pkl", _describe(array))
        _write_aligned(archive, f"{FOLDER}/byteorder", b"little")
        _write_aligned(archive, f"{FOLDER}/data/0", array.tobytes())
        _write_aligned(archive, f"{FOLDER}/version", b"3\n")
