"""SHA-256 of arrays: what a figure depends on, whatever file it came in."""

import hashlib
from typing import Any

import jax
import numpy as np


def digest_arrays(tree: Any) -> str:
    """SHA-256 of the names, types, shapes and numbers of a pytree of arrays, hexadecimal."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(tree):
        array = np.asarray(leaf, order="C")
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
