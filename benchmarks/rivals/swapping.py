"""Puts other functions in the place of the library's, so that whole networks are made of them.

This is for measuring alone: a program keeps the functions with which it was traced.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from unittest import mock

import jax
from jax import lax

from sfe_jax.core.precision import product_precision


@contextmanager
def swapped(replacements: Mapping[Callable, Callable]) -> Iterator[None]:
    """Replaces functions in every loaded module of the library, and in its tables of functions.

    Args:
        replacements: Function of the library -> what takes its place, of the same signature.
    """
    others = {id(function): other for function, other in replacements.items()}
    modules = [m for name, m in sys.modules.items() if name.partition(".")[0] == "sfe_jax"]
    with ExitStack() as stack:
        for module in modules:
            for name, value in list(vars(module).items()):
                if id(value) in others:
                    stack.enter_context(mock.patch.object(module, name, others[id(value)]))
                elif isinstance(value, dict) and not name.startswith("__"):
                    found = {k: others[id(v)] for k, v in value.items() if id(v) in others}
                    stack.enter_context(mock.patch.dict(value, found))
        stack.callback(jax.clear_caches)
        jax.clear_caches()  # Or what was traced before would be taken again.
        yield


def tensor_float() -> AbstractContextManager[None]:
    """Lets float32 products take the device's fast path: TF32 on recent GPUs of NVIDIA."""
    return swapped({product_precision: lambda _: lax.Precision.DEFAULT})
