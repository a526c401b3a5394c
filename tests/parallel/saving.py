"""Saves a checkpoint after the other until it is killed: `python -m tests.parallel.saving FOLDER`.

Every array of step N holds N. A line with N says that saving it has begun.
"""

import itertools
import sys

import jax
import numpy as np

from sfe_jax.checkpoints import Checkpoints

SHAPES = {f"layer{i}": (64, 1024) for i in range(32)}


def filled(value):
    """The state of a step."""
    return {name: jax.device_put(np.full(shape, value)) for name, shape in SHAPES.items()}


def main(folder):
    with Checkpoints(folder, keep=2) as checkpoints:
        for step in itertools.count(1):
            checkpoints.save(step, filled(step), meta={"step": step})
            print(step, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
