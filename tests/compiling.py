"""`jit` for small tests: what they compute is quicker than an optimising compiler."""

from functools import partial

import jax

jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
