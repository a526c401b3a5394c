"""Pickles of StyleGAN: persistent modules of NVIDIA's PyTorch code.

They carry the source text of their networks, which the original loader executes. Here it stays a
string inside the record.

Source: torch_utils/persistence.py of NVlabs/stylegan2-ada-pytorch and NVlabs/stylegan3.
"""

import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import Budget
from sfe_jax.readers.messages import BROKEN
from sfe_jax.readers.pickles import AllowList
from sfe_jax.readers.records import Record
from sfe_jax.readers.storages import Storage
from sfe_jax.readers.streams import ByteStream
from sfe_jax.readers.tensorflow import TENSORFLOW_GLOBALS
from sfe_jax.readers.torch_files import TORCH_GLOBALS, read_torch_legacy

_PERSISTENCE = "torch_utils.persistence"
_MAX_MODULES = 10_000  # Official networks have about 100.
_MAX_LEVELS = 32

# Names of positional arguments, as both families declare them.
_GENERATOR_ARGUMENTS = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
_DISCRIMINATOR_ARGUMENTS = ("c_dim", "img_resolution", "img_channels")


def _reconstruct_persistent(_budget: Budget, meta: object) -> Record:
    """`meta` holds type, version, module_src, class_name and the instance's attributes, state."""
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise FileFormatError(f"a persistent object has no description; {BROKEN}")
    name = meta.get("class_name")
    if not isinstance(name, str) or not isinstance(meta.get("state"), dict):
        raise FileFormatError(f"a persistent object has no class or no state; {BROKEN}")
    return Record(_PERSISTENCE, name, meta)


def _load_from_bytes(budget: Budget, data: object) -> Storage:
    """`data` is a whole file in torch's old format that holds one storage."""
    if not isinstance(data, bytes):
        raise FileFormatError(f"a storage is no byte string; {BROKEN}")
    budget.spend_bytes(len(data), what="a storage")
    storage = read_torch_legacy(ByteStream(memoryview(data)), TORCH_GLOBALS, budget=budget)
    if not isinstance(storage, Storage):
        raise FileFormatError(f"the bytes of a storage hold a {type(storage).__name__}; {BROKEN}")
    return storage


PERSISTENT_GLOBALS = TORCH_GLOBALS | AllowList(
    calls={f"{_PERSISTENCE} _reconstruct_persistent_obj": _reconstruct_persistent}
)
PICKLE_GLOBALS = (
    PERSISTENT_GLOBALS
    | TENSORFLOW_GLOBALS
    | AllowList(calls={"torch.storage _load_from_bytes": _load_from_bytes})
)


def _attributes(record: Record) -> dict:
    """The attributes of a persistent module."""
    meta = record.state
    attributes = meta.get("state") if isinstance(meta, dict) else None
    if record.module != _PERSISTENCE or not isinstance(attributes, dict):
        raise FileFormatError(f"{record!r} is not a persistent module of NVIDIA's code")
    return attributes


def _named(record: Record, field: str) -> dict:
    """One of `_parameters`, `_buffers`, `_modules`, without the entries that are None."""
    named = _attributes(record).get(field)
    if not isinstance(named, dict) or any(type(name) is not str for name in named):
        raise FileFormatError(f"{record!r} has no `{field}`; it is not a network of PyTorch")
    return {name: value for name, value in named.items() if value is not None}


def module_tensors(record: Record) -> dict[str, np.ndarray]:
    """Collects the parameters and buffers of a persistent module and all modules inside it.

    Args:
        record: Of NVIDIA's persistent class, such as the entry `G_ema` of an official pickle.

    Returns:
        Arrays by full name, such as `synthesis.b4.const`, in PyTorch's layout and order.

    Raises:
        FileFormatError: If it is not such a module.
    """
    found: dict[str, np.ndarray] = {}
    pending: list[tuple[tuple[str, ...], object]] = [((), record)]
    visited = 0
    while pending:
        path, module = pending.pop()
        visited += 1
        if visited > _MAX_MODULES or len(path) > _MAX_LEVELS:
            raise FileFormatError(f"{record!r} has too many modules inside each other")
        if not isinstance(module, Record):
            raise FileFormatError(f"{record!r} has a submodule that is no module")
        for name, value in {**_named(module, "_parameters"), **_named(module, "_buffers")}.items():
            if not isinstance(value, np.ndarray):
                raise FileFormatError(f"{record!r} has a parameter that is no tensor")
            found[".".join((*path, name))] = value
        inner = [((*path, name), child) for name, child in _named(module, "_modules").items()]
        pending += reversed(inner)
    return found


def module_attribute(record: Record, path: str, name: str) -> object:
    """Returns a plain attribute of a module inside a persistent module.

    Args:
        record: Of NVIDIA's persistent class, such as the entry `D` of an official pickle.
        path: Dotted name of the inner module, such as `b4.mbstd`.
        name: Of the attribute, such as `group_size`.

    Returns:
        Its value; None if it or the inner module is absent.

    Raises:
        FileFormatError: If `record` is not such a module.
    """
    module: object = record
    for part in path.split("."):
        if not isinstance(module, Record):
            return None
        module = _named(module, "_modules").get(part)
    return _attributes(module).get(name) if isinstance(module, Record) else None


def init_arguments(record: Record) -> dict[str, object]:
    """Returns the arguments that a persistent network was constructed with.

    Args:
        record: Of NVIDIA's persistent class.

    Returns:
        Arguments by name; nested ones such as `mapping_kwargs` stay dicts.

    Raises:
        FileFormatError: If it is not such a network, or has positional arguments of unknown names.
    """
    attributes = _attributes(record)
    positional = attributes.get("_init_args", ())
    named = attributes.get("_init_kwargs", {})
    if not isinstance(positional, tuple | list) or not isinstance(named, dict):
        raise FileFormatError(f"{record!r} does not hold the arguments that it was made with")
    is_generator = "synthesis" in _named(record, "_modules")
    names = _GENERATOR_ARGUMENTS if is_generator else _DISCRIMINATOR_ARGUMENTS
    if len(positional) > len(names) or not named.keys().isdisjoint(names[: len(positional)]):
        raise FileFormatError(f"{record!r} was made with {len(positional)} unnamed arguments")
    return {**dict(zip(names, positional, strict=False)), **named}
