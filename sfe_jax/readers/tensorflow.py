"""Networks of NVIDIA's TensorFlow code, as the pickles of StyleGAN 1 and 2 hold them.

Such a pickle is the tuple (G, D, Gs). A network holds variables of its own, networks inside it by
name ("mapping" and "synthesis"), the arguments that it was built with, and the source text of its
build function. The original loader executes that text; here it stays a string inside the record.

Source: dnnlib/tflib/network.py of NVlabs/stylegan and NVlabs/stylegan2.
"""

import numpy as np

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.messages import BROKEN
from sfe_jax.readers.pickles import AllowList
from sfe_jax.readers.records import Record

_NETWORKS = frozenset(  # Newest first; the others are of Progressive GAN.
    {"dnnlib.tflib.network Network", "tfutil Network", "network Network"}
)
_MAX_NETWORKS = 100  # Official files have three in each other.
_MAX_NAME = 200  # Characters; official names have about 40.

TENSORFLOW_GLOBALS = AllowList(records=_NETWORKS)


def is_tensorflow_network(value: object) -> bool:
    """Whether `value` is a network of NVIDIA's TensorFlow code."""
    return isinstance(value, Record) and f"{value.module} {value.name}" in _NETWORKS


def _state(network: object) -> dict:
    """The attributes that a network was pickled with."""
    state = network.state if isinstance(network, Record) else None
    if not is_tensorflow_network(network) or not isinstance(state, dict):
        raise FileFormatError(f"{network!r} is not a network of NVIDIA's TensorFlow code")
    return state


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_NAME


def _own_variables(network: object) -> dict[str, np.ndarray]:
    """The variables of a network without those of the networks inside it."""
    pairs = _state(network).get("variables")
    if not isinstance(pairs, list | tuple):
        raise FileFormatError(f"{network!r} has no list of variables; {BROKEN}")
    found: dict[str, np.ndarray] = {}
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not _is_name(pair[0]):
            raise FileFormatError(f"{network!r} has a variable without a name; {BROKEN}")
        name, value = pair
        if name in found or not isinstance(value, np.ndarray | np.number):
            raise FileFormatError(f"{network!r} has a variable twice, or one that is no array")
        found[name] = np.asarray(value)
    return found


def network_variables(record: Record) -> dict[str, np.ndarray]:
    """Collects the variables of a network and of all networks inside it.

    Args:
        record: A network of NVIDIA's TensorFlow code, such as the last of an official tuple.

    Returns:
        Arrays by full name, such as `synthesis/4x4/Const/const`, in TensorFlow's layout.

    Raises:
        FileFormatError: If it is not such a network.
    """
    found: dict[str, np.ndarray] = {}
    pending: list[tuple[str, object]] = [("", record)]
    visited = 0
    while pending:
        prefix, network = pending.pop()
        visited += 1
        if visited > _MAX_NETWORKS:
            raise FileFormatError(f"{record!r} has too many networks inside each other")
        found |= {f"{prefix}{name}": value for name, value in _own_variables(network).items()}
        inner = _state(network).get("components", {})
        if not isinstance(inner, dict) or not all(map(_is_name, inner)):
            raise FileFormatError(f"{record!r} has networks inside it without names; {BROKEN}")
        pending += [(f"{prefix}{name}/", network) for name, network in inner.items()]
    return found


def network_arguments(record: Record) -> dict[str, object]:
    """Returns the arguments that a network was built with, by name.

    Args:
        record: A network of NVIDIA's TensorFlow code.

    Raises:
        FileFormatError: If it is not such a network.
    """
    arguments = _state(record).get("static_kwargs")
    if not isinstance(arguments, dict) or not all(map(_is_name, arguments)):
        raise FileFormatError(f"{record!r} does not hold the arguments that it was built with")
    return dict(arguments)


def network_function(record: Record) -> str:
    """Returns the name of the function that built a network, such as `G_style`.

    Args:
        record: A network of NVIDIA's TensorFlow code.

    Raises:
        FileFormatError: If it is not such a network.
    """
    name = _state(record).get("build_func_name")
    if not isinstance(name, str):
        raise FileFormatError(f"{record!r} does not name the function that built it; {BROKEN}")
    return name
