"""The mesh: every device of a run at a place `(data, model)`.

Along `data` the samples of a batch are spread, along `model` the wide arrays of the networks. From
a laptop (1 x 1) to a pod the program is the same; `jax.jit` adds what devices tell each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from sfe_jax.core.errors import OptionError, ShapeError

DATA, MODEL = "data", "model"
"""Names of the axes."""


def _sizes(data: int, model: int, *, devices: int) -> tuple[int, int]:
    """The sizes of both axes, with -1 replaced by what the other leaves of `devices`."""
    asked = f"`data` is {data} and `model` is {model}"
    if data == -1 and model > 0:
        data = devices // model
    elif model == -1 and data > 0:
        model = devices // data
    if min(data, model) < 1 or data * model != devices:
        raise OptionError(
            f"{asked}; required is a product of {devices}, the number of devices: give -1 for "
            "one of them, or name the `devices` to use"
        )
    return data, model


def make_mesh(*, data: int = -1, model: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """Places devices on a grid with the axes `data` and `model`.

    Args:
        data: Devices among which a batch is divided; -1 takes what `model` leaves.
        model: Devices among which wide arrays are divided; -1 takes what `data` leaves.
        devices: From `jax.devices()`; all are used. None takes every device of every process.

    Returns:
        A mesh whose axes leave communication to the compiler (`AxisType.Auto`).

    Raises:
        OptionError: If the sizes do not make up the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    sizes = _sizes(data, model, devices=len(devices))
    return jax.make_mesh(sizes, (DATA, MODEL), (AxisType.Auto, AxisType.Auto), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of what every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch: its first axis is divided along `data`."""
    return NamedSharding(mesh, PartitionSpec(DATA))


def spread(x: jax.Array) -> jax.Array:
    """Divides what a program draws along `data`, as its batch is; inside `on_mesh` alone.

    A draw takes nothing from the batch but its size: without this, every device would make the
    whole of it, and of all that follows from it.

    Args:
        x: [N, ...].

    Returns:
        `x`, divided if the mesh is known. Where N is not a multiple of its `data`, the last devices
        have less, or nothing.
    """
    if jax.sharding.get_abstract_mesh().empty:
        return x
    return jax.lax.with_sharding_constraint(x, PartitionSpec(DATA))


def whole_shares(count: int) -> int:
    """The least number from `count` on that `data` divides; inside `on_mesh` alone.

    Fewer pictures than devices, or another number, cost as much as these many: what is computed of
    them in whole shares is not sent between devices.
    """
    mesh = jax.sharding.get_abstract_mesh()
    return count if mesh.empty else -(-count // mesh.shape[DATA]) * mesh.shape[DATA]


@contextmanager
def on_mesh(mesh: Mesh) -> Iterator[None]:
    """Lets `spread` and `core.platforms` know the mesh while a program is traced."""
    platform = mesh.devices.flat[0].platform
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh), jax.default_device(platform):
        yield


def _data_shards(processes: np.ndarray) -> dict[int, tuple[int, int]]:
    """Process -> (index, count) of the shard of the data that it reads.

    Args:
        processes: int [data, model], the process of each device of a mesh.
    """
    rows = {
        int(process): tuple(np.flatnonzero((processes == process).any(axis=1)).tolist())
        for process in np.unique(processes)
    }
    groups = sorted(set(rows.values()))
    if sum(map(len, groups)) != len(processes):
        raise OptionError(
            f"processes share parts of the axis `data` of {len(processes)}; required is that "
            "`model` divides the devices of a process, or is a multiple of them"
        )
    return {process: (groups.index(own), len(groups)) for process, own in rows.items()}


def data_shard(mesh: Mesh) -> tuple[int, int]:
    """Which part of the data this process reads.

    Processes that share their rows of the mesh, because `model` spans them, read the same part.

    Returns:
        Index and count of the parts; `(0, 1)` if there is one process.

    Raises:
        OptionError: If the processes divide the mesh in no such way.
    """
    processes = np.vectorize(lambda device: device.process_index, otypes=[int])(mesh.devices)
    return _data_shards(processes)[jax.process_index()]


def global_batch(mesh: Mesh, local_batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Makes one batch of all processes out of what each of them read.

    Args:
        mesh: From `make_mesh`.
        local_batch: NumPy arrays [N, ...] of this process, as many on each.

    Returns:
        Arrays [N * parts of the data, ...], divided along `data`.

    Raises:
        ShapeError: If the devices of this process cannot share out N evenly.
    """
    rows = mesh.shape[DATA] // data_shard(mesh)[1]
    for name, array in local_batch.items():
        if not np.ndim(array) or len(array) % rows:
            raise ShapeError(
                f"`{name}` of the batch has shape {np.shape(array)}; required is a first axis "
                f"that the {rows} devices of this process along `{DATA}` divide"
            )
    sharding = batch_sharding(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, np.asarray(array))
        for name, array in local_batch.items()
    }


def needs_blocking(mesh: Mesh) -> bool:
    """Whether a loop must wait (`jax.block_until_ready`) for each step before it starts the next.

    Before JAX 0.12 programs that run at once on several CPU devices can wait for each other for
    ever. One device, and accelerators, queue their work in order.
    """
    platforms = {device.platform for device in mesh.devices.flat}
    return jax.__version_info__ < (0, 12) and mesh.size > 1 and "cpu" in platforms
