"""`jit` for small tests: what they compute is quicker than an optimising compiler."""

import contextlib
from functools import partial
from unittest import mock

import jax

jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@contextlib.contextmanager
def quick():
    """Programs compile quickly, and Adam may mix the types of its counts."""
    with jax.numpy_dtype_promotion("standard"), mock.patch.object(jax, "jit", jit):
        yield
