"""What torch.save and TorchScript write: the zip format and the stream that came before it.

Source: torch/_utils.py, torch/serialization.py, torch/csrc/jit/serialization of PyTorch 2.
"""

import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import Budget
from sfe_jax.readers.messages import BROKEN, quote
from sfe_jax.readers.numpy_files import NUMPY_GLOBALS
from sfe_jax.readers.pickles import AllowList, run_pickle
from sfe_jax.readers.records import Global, Record
from sfe_jax.readers.storages import (
    STORAGE_DTYPES,
    TORCH_DTYPES,
    Storage,
    check_sizes,
    strided_view,
)
from sfe_jax.readers.streams import ByteStream
from sfe_jax.readers.zip_files import Archive

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


# Tensors. Hooks, gradients' flags and Python attributes are dropped.


def _view(budget: Budget, storage: object, dtype: np.dtype | None, place: tuple) -> np.ndarray:
    """Views a storage at `place` = (offset, shape, strides)."""
    if not isinstance(storage, Storage):
        raise FileFormatError(f"a tensor is made of a {type(storage).__name__}; {BROKEN}")
    offset, shape, strides = place
    return strided_view(
        storage,
        dtype=dtype or storage.dtype,
        offset=offset,
        shape=shape,
        strides=strides,
        budget=budget,
    )


def _check_metadata(metadata: object) -> None:
    if metadata is not None and not isinstance(metadata, dict):
        raise FileFormatError(f"the metadata of a tensor is no dict; {BROKEN}")
    if any(metadata.values() if metadata else ()):
        raise FileFormatError("a tensor is a lazy conjugate or negative; save its resolved form")


def _rebuild_tensor(budget: Budget, storage: object, *place: object) -> np.ndarray:
    offset, shape, strides = place
    return _view(budget, storage, None, (offset, shape, strides))


def _rebuild_tensor_v2(
    budget: Budget,
    storage: object,
    offset: object,
    shape: object,
    strides: object,
    requires_grad: object,
    hooks: object,
    metadata: object = None,
) -> np.ndarray:
    del requires_grad, hooks
    _check_metadata(metadata)
    return _view(budget, storage, None, (offset, shape, strides))


def _rebuild_tensor_v3(
    budget: Budget,
    storage: object,
    offset: object,
    shape: object,
    strides: object,
    requires_grad: object,
    hooks: object,
    dtype: object,
    metadata: object = None,
) -> np.ndarray:
    del requires_grad, hooks
    _check_metadata(metadata)
    if not isinstance(dtype, Global) or dtype.module != "torch" or dtype.name not in TORCH_DTYPES:
        raise FileFormatError("a tensor has an unknown dtype")
    return _view(budget, storage, TORCH_DTYPES[dtype.name], (offset, shape, strides))


def _rebuild_parameter(_budget: Budget, data: object, *_: object) -> np.ndarray:
    if not isinstance(data, np.ndarray):
        raise FileFormatError(f"a parameter is made of a {type(data).__name__}; {BROKEN}")
    return data


_REBUILDS = {
    "torch._utils _rebuild_tensor": _rebuild_tensor,
    "torch._utils _rebuild_tensor_v2": _rebuild_tensor_v2,
    "torch._utils _rebuild_tensor_v3": _rebuild_tensor_v3,
    "torch._utils _rebuild_parameter": _rebuild_parameter,
    "torch._utils _rebuild_parameter_with_state": _rebuild_parameter,
}


def _rebuild_from_type(
    budget: Budget, function: object, cls: object, arguments: object, state: object
) -> np.ndarray:
    """A tensor with Python attributes (`state`), made by another of these functions."""
    del cls, state
    if not isinstance(function, Global) or function.full_name not in _REBUILDS:
        raise FileFormatError("a tensor is rebuilt by an unknown function")
    if not isinstance(arguments, tuple):
        raise FileFormatError(f"a tensor is rebuilt without arguments; {BROKEN}")
    return _REBUILDS[function.full_name](budget, *arguments)


def _make_size(_budget: Budget, sizes: object = ()) -> tuple[int, ...]:
    return check_sizes("a torch.Size", sizes)


def _make_device(_budget: Budget, *arguments: object) -> Record:
    return Record("torch", "device", arguments)


def _same(_budget: Budget, value: object, *_: object) -> object:
    """TorchScript wraps typed lists, and values with their type, in calls."""
    return value


TORCH_GLOBALS = NUMPY_GLOBALS | AllowList(
    calls={
        **_REBUILDS,
        "torch._tensor _rebuild_from_type_v2": _rebuild_from_type,
        "torch Size": _make_size,
        "torch device": _make_device,
    },
    names=frozenset(
        {"torch Tensor", "torch.nn.parameter Parameter", "torch.storage UntypedStorage"}
        | {f"torch {name}" for name in [*STORAGE_DTYPES, *TORCH_DTYPES]}
    ),
)

SCRIPT_GLOBALS = TORCH_GLOBALS | AllowList(
    calls={
        "torch.jit._pickle build_intlist": _same,
        "torch.jit._pickle build_doublelist": _same,
        "torch.jit._pickle build_boollist": _same,
        "torch.jit._pickle build_tensorlist": _same,
        "torch.jit._pickle restore_type_tag": _same,
    },
    script_records=True,
)


# Storages.


def _parse_identity(identity: object, *, parts: int) -> tuple[str, np.dtype, int]:
    """Reads the persistent id ('storage', class, key, location, element count, ...).

    Returns:
        Key, dtype and number of elements.
    """
    if not isinstance(identity, tuple) or len(identity) != parts or identity[0] != "storage":
        raise FileFormatError(f"the id of a storage has not {parts} parts; {BROKEN}")
    _, cls, key, _, count, *_ = identity
    if not isinstance(cls, Global) or cls.name not in STORAGE_DTYPES:
        raise FileFormatError("a storage is of a class that holds no plain numbers; convert it")
    if not isinstance(key, str):
        raise FileFormatError(f"the key of a storage is a {type(key).__name__}; {BROKEN}")
    (elements,) = check_sizes("the size of a storage", (count,))
    return key, TORCH_DTYPES[STORAGE_DTYPES[cls.name]], elements


def find_root(archive: Archive) -> str | None:
    """Returns the folder of `data.pkl` in a torch archive, or None if it is none."""
    roots = [name[: -len("/data.pkl")] for name in archive.members if name.endswith("/data.pkl")]
    return roots[0] if len(roots) == 1 and "/" not in roots[0] else None


def is_script(archive: Archive) -> bool:
    """Returns whether an archive was written by TorchScript, which adds constants to torch's."""
    return f"{find_root(archive)}/constants.pkl" in archive.members


def read_torch_zip(archive: Archive, allowed: AllowList, *, budget: Budget) -> object:
    """Reads what torch.save has written since PyTorch 1.6, or a TorchScript archive's attributes.

    Args:
        archive: The opened file.
        allowed: The globals that its pickle may name.
        budget: Pays for it.

    Returns:
        The saved object; its tensors are views of the file.

    Raises:
        FileFormatError: If it is broken, unsafe or big-endian.
    """
    root = find_root(archive)
    order = f"{root}/byteorder"
    if order in archive.members and bytes(archive.read(order)).strip() != b"little":
        raise FileFormatError("the tensors are big-endian; save them on a little-endian machine")
    contents: dict[str, memoryview] = {}

    def load(identity: object) -> Storage:
        key, dtype, elements = _parse_identity(identity, parts=5)
        if key not in contents:
            contents[key] = archive.read(f"{root}/data/{key}")
        if elements * dtype.itemsize != len(contents[key]):
            raise FileFormatError(
                f"the storage {quote(key)} claims {elements} elements of {dtype}, the zip holds "
                f"{len(contents[key])} bytes; {BROKEN}"
            )
        return Storage(contents[key], dtype)

    stream = ByteStream(archive.read(f"{root}/data.pkl"))
    return run_pickle(stream, allowed, budget=budget, title="data.pkl", load_storage=load)


def _read_legacy_header(stream: ByteStream, budget: Budget) -> None:
    """Reads the three pickles that open the old format: magic, version, machine."""
    parts = [
        run_pickle(stream, AllowList(), budget=budget, title=title)
        for title in ("the magic number", "the protocol version", "the machine's description")
    ]
    magic, version, machine = parts
    if type(magic) is not int or magic != LEGACY_MAGIC:
        raise FileFormatError(f"the magic number is not that of torch.save; {BROKEN}")
    if type(version) is not int or version != _LEGACY_PROTOCOL:
        raise FileFormatError(f"the protocol is not {_LEGACY_PROTOCOL}; save it with a newer torch")
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise FileFormatError("the tensors are not little-endian; save them on such a machine")


class _LegacyStorages:
    """Room for the storages of the old format, whose bytes only follow after the object."""

    def __init__(self, *, available: int):
        self.available = available
        self.whole: dict[str, Storage] = {}

    def load(self, identity: object) -> Storage:
        """Makes room, or views room that was made (`identity[5]` = key, offset, size)."""
        key, dtype, elements = _parse_identity(identity, parts=6)
        if key not in self.whole:
            self.available -= elements * dtype.itemsize
            if self.available < 0:
                raise FileFormatError(
                    f"the storage {quote(key)} claims {elements} elements of {dtype}, more than "
                    f"the file holds; {BROKEN}"
                )
            self.whole[key] = Storage(np.zeros(elements * dtype.itemsize, np.uint8).data, dtype)
        whole = self.whole[key]
        if whole.dtype != dtype or len(whole.data) != elements * dtype.itemsize:
            raise FileFormatError(f"the storage {quote(key)} is declared in two ways; {BROKEN}")
        view = identity[5] if isinstance(identity, tuple) else None
        if view is None:
            return whole
        if not isinstance(view, tuple) or len(view) != 3:
            raise FileFormatError(f"a view of the storage {quote(key)} has no place; {BROKEN}")
        offset, size = check_sizes("the view of a storage", view[1:])
        if offset + size > elements:
            raise FileFormatError(f"a view leaves the storage {quote(key)}; {BROKEN}")
        return Storage(whole.data[offset * dtype.itemsize :][: size * dtype.itemsize], dtype)

    def fill(self, keys: object, stream: ByteStream) -> None:
        """Reads element count and bytes of each storage, in the order of `keys`."""
        if not isinstance(keys, list) or any(type(key) is not str for key in keys):
            raise FileFormatError(f"the list of storages is not one of names; {BROKEN}")
        if len(keys) != len(self.whole) or set(keys) != set(self.whole):
            raise FileFormatError(f"the list of storages differs from those in use; {BROKEN}")
        for key in keys:
            whole = self.whole[key]
            count = int.from_bytes(stream.read(8), "little")
            if count * whole.dtype.itemsize != len(whole.data):
                raise FileFormatError(f"the storage {quote(key)} holds {count} elements; {BROKEN}")
            content = stream.view(len(whole.data))
            if len(content) != len(whole.data):
                raise FileFormatError(f"the storage {quote(key)} is cut off; {BROKEN}")
            whole.data[:] = content


def read_torch_legacy(stream: ByteStream, allowed: AllowList, *, budget: Budget) -> object:
    """Reads what torch.save wrote before PyTorch 1.6.

    Args:
        stream: At the magic number.
        allowed: The globals that its object may name.
        budget: Pays for it.

    Returns:
        The saved object; a `Storage` if only that was saved.

    Raises:
        FileFormatError: If it is broken, unsafe or big-endian.
    """
    _read_legacy_header(stream, budget)
    storages = _LegacyStorages(available=len(stream.data))
    saved = run_pickle(
        stream, allowed, budget=budget, title="the object pickle", load_storage=storages.load
    )
    keys = run_pickle(stream, AllowList(), budget=budget, title="the list of storages")
    storages.fill(keys, stream)
    return saved
