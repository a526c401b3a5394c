"""The processes of a run: how they find each other, who speaks, where they wait."""

import os

import jax
from jax.experimental import multihost_utils

from sfe_jax.core.errors import OptionError

_VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def _number(name: str, value: str | int | None) -> int | None:
    """`value` as a whole number."""
    if value is None or isinstance(value, int):
        return value
    if not value.isdecimal():
        raise OptionError(f"{name} is {value!r}; required is a whole number")
    return int(value)


def initialize(
    address: str | None = None, *, count: int | None = None, index: int | None = None
) -> bool:
    """Joins the processes of a run. Must come before anything else asks JAX for devices.

    Args:
        address: "host:port" of process 0; "auto" where JAX finds out all by itself (Cloud TPU,
            Slurm, Open MPI, Kubernetes). None takes the environment's JAX_COORDINATOR_ADDRESS, and
            without that the process is alone.
        count: Number of processes. None takes JAX_NUM_PROCESSES.
        index: Of this process. None takes JAX_PROCESS_ID.

    Returns:
        Whether there is anybody to join.

    Raises:
        OptionError: If the address is given without count and index, or these without it.
    """
    address = address or os.environ.get(_VARIABLES[0])
    if address == "auto":
        os.environ.pop(_VARIABLES[0], None)  # JAX would take the word there for an address.
        jax.distributed.initialize()
        return True
    count = _number("JAX_NUM_PROCESSES", os.environ.get(_VARIABLES[1]) if count is None else count)
    index = _number("JAX_PROCESS_ID", os.environ.get(_VARIABLES[2]) if index is None else index)
    given = dict(zip(_VARIABLES, (address, count, index), strict=True))
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return False
    if address is None or count is None or index is None or not 0 <= index < count:
        said = ", ".join(f"{name} {value}" for name, value in given.items())
        raise OptionError(
            f"the processes of the run are not described: {said}; required are the address of "
            "process 0, their number, and an index below it"
        )
    jax.distributed.initialize(address, count, index)
    return True


def is_main_process() -> bool:
    """Whether this process is the one that writes logs and speaks."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Waits until every process has come to the barrier of this name."""
    multihost_utils.sync_global_devices(name)
