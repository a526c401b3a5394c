"""One of two processes that share a mesh of 2 x 2: `python -m tests.parallel.joining FOLDER`.

The other is found by JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID. What the
processes found out is printed as a line of JSON.
"""

import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from sfe_jax.checkpoints import Checkpoints
from sfe_jax.parallel.mesh import data_shard, global_batch, make_mesh, replicated
from sfe_jax.parallel.processes import barrier, initialize, is_main_process
from sfe_jax.parallel.sharding import born_sharded, shardings, with_shardings
from sfe_jax.writers import open_writers

RULES = ((r"kernel$", PartitionSpec("data", "model")),)


def state():
    """A divided array, a whole one, a key."""
    return {
        "kernel": jnp.arange(32.0).reshape(4, 8),
        "step": jnp.int32(7),
        "key": jax.random.key(1),
    }


def like(mesh):
    shapes = jax.eval_shape(state)
    return with_shardings(shapes, shardings(mesh, shapes, rules=RULES))


def main(folder):
    # Together.
    joined = initialize()
    mesh = make_mesh(model=2)
    index, count = data_shard(mesh)
    batch = global_batch(mesh, {"image": np.full((2, 3), index, np.float32)})
    samples = jax.jit(lambda b: b["image"][:, 0], out_shardings=replicated(mesh))(batch)

    # A checkpoint and a log.
    with Checkpoints(folder / "checkpoints", keep=1) as checkpoints:
        saved = born_sharded(state, mesh=mesh, rules=RULES)
        for step in (1, 2):
            checkpoints.save(step, saved, meta={"step": step})
        restored, meta = checkpoints.restore(like(mesh))
    with open_writers(folder) as writers:
        writers.scalars(2, 8, {"loss": 1.0})
    barrier("written")

    same = jax.tree.map(lambda a, b: bool(jnp.all(a == b)), restored, saved)
    found = {
        "joined": joined,
        "main": is_main_process(),
        "shard": [index, count],
        "samples": np.asarray(samples).tolist(),
        "restored": all(jax.tree.leaves(same)),
        "meta": meta,
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
