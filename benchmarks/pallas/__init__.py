"""Pallas kernels of our own for TPUs, to measure XLA's fusions against.

bias_act, and the epilogue of a modulated convolution (demodulation, noise, bias and activation in
one pass), with one fused pass for all their slopes. They are never required: `unavailable()` says
in one sentence why they cannot run. No TPU was at hand: they were compiled for one, and run by
Pallas' interpreter, but not timed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from benchmarks.cuda.installing import with_epilogue
from benchmarks.pallas.pointwise import kernels
from benchmarks.rivals.swapping import swapped
from sfe_jax.core.errors import OptionError
from sfe_jax.ops.bias_act import bias_act


def unavailable() -> str | None:
    """Why the kernels cannot run here, in one sentence; None if they can."""
    backend = jax.default_backend()
    return None if backend == "tpu" else f"the Pallas kernels need a TPU; JAX runs on {backend}"


@contextmanager
def installed(*, interpret: bool = False) -> Iterator[None]:
    """For measuring alone: networks that are traced inside are made of the Pallas kernels.

    As `benchmarks.cuda.installed`, for bias_act and the epilogue.

    Args:
        interpret: Whether they run as plain JAX, on any device, for tests.

    Raises:
        OptionError: If there is no TPU and they are not interpreted.
    """
    reason = unavailable()
    if reason and not interpret:
        raise OptionError(reason)
    own = kernels(interpret=interpret)
    with swapped({bias_act: own.bias_act}), with_epilogue(own.epilogue):
        yield
