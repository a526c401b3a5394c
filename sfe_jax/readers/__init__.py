"""Beside the floors: safe readers of files from outside. No code of a file is ever executed."""

from sfe_jax.readers.nvidia import init_arguments, module_attribute, module_tensors
from sfe_jax.readers.reading import Format, read, sha256, sniff
from sfe_jax.readers.records import Record
from sfe_jax.readers.tensorflow import (
    is_tensorflow_network,
    network_arguments,
    network_function,
    network_variables,
)

__all__ = [
    "Format",
    "Record",
    "init_arguments",
    "is_tensorflow_network",
    "module_attribute",
    "module_tensors",
    "network_arguments",
    "network_function",
    "network_variables",
    "read",
    "sha256",
    "sniff",
]
