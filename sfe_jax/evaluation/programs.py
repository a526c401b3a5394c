"""Functions of a batch, compiled once and divided over a mesh of devices: NumPy in, NumPy out."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from sfe_jax.metrics.rows import local_part
from sfe_jax.parallel.mesh import batch_sharding, global_batch, replicated


class Program:
    """A function of variables and a batch; every device holds the former and a part of the latter.

    Each process gives its rows of the batch and gets the results of these rows.
    """

    def __init__(self, function: Callable, variables: Any, mesh: Mesh) -> None:
        """Places the variables; compiles nothing yet.

        Args:
            function: Takes `variables`, what calls share, and arrays [N, ...]; gives a pytree of
                arrays [N, ...].
            variables: A pytree of arrays.
            mesh: From `make_mesh`.
        """
        self._variables = jax.device_put(variables, replicated(mesh))
        self._function = jax.jit(function, out_shardings=batch_sharding(mesh))
        self._mesh = mesh

    def __call__(self, *arrays: np.ndarray, shared: tuple = ()) -> Any:
        """Runs the function.

        Args:
            *arrays: [B, ...] of this process, B the same in every call.
            shared: Pytrees of arrays that all rows share.

        Returns:
            A pytree of NumPy arrays [B, ...].

        Raises:
            ShapeError: If the devices cannot share out B evenly.
        """
        batch = {f"argument {index}": array for index, array in enumerate(arrays)}
        placed = global_batch(self._mesh, batch).values()
        shared = jax.device_put(shared, replicated(self._mesh))
        return jax.tree.map(local_part, self._function(self._variables, *shared, *placed))
