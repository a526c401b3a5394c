"""One of two processes that merge what they have seen: `python -m tests.metrics.joining`."""

import json

import jax
import numpy as np

from sfe_jax.metrics.equivariance import MaskedError
from sfe_jax.metrics.gaussians import feature_statistics
from sfe_jax.metrics.merging import merge_processes
from sfe_jax.metrics.rows import PADDING, rows_of
from sfe_jax.parallel.mesh import global_batch, make_mesh
from sfe_jax.parallel.processes import initialize

FEATURES = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)


def main():
    initialize()
    index = jax.process_index()
    numbers = np.asarray([0, 1, 2, 3, 4, 5, 6, PADDING], np.int32)
    own = slice(4 * index, 4 * index + 4)
    batch = {"number": numbers[own], "feature": FEATURES[own]}
    # Along `model` both devices of a process hold the same rows.
    shared = global_batch(make_mesh(model=2), batch)
    rows = rows_of(shared["number"], shared["feature"])
    joined = merge_processes(rows)
    statistics = merge_processes(feature_statistics(rows.values))
    error = merge_processes(MaskedError(1 + 1e-12 + index, 1.0))
    found = {
        "numbers": joined.numbers.tolist(),
        "scatter": statistics.scatter.tolist(),
        "squares": error.squares,
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
