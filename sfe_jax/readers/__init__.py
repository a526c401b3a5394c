"""Beside the floors: safe readers of files from outside. No code of a file is ever executed."""

from sfe_jax.readers.nvidia import init_arguments, module_attribute, module_tensors
from sfe_jax.readers.reading import Format, read, sha256, sniff
from sfe_jax.readers.records import Record

__all__ = [
    "Format",
    "Record",
    "init_arguments",
    "module_attribute",
    "module_tensors",
    "read",
    "sha256",
    "sniff",
]
