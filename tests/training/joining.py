"""One of two processes that train together: `python -m tests.training.joining FOLDER`.

The last process is asked to stop in step 2; then both go on to the end. What was saved when they
stopped is printed as a line of JSON, and kept in FOLDER/stopped.
"""

import json
import pathlib
import shutil
import signal
import sys

import jax

from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.parallel.processes import barrier, initialize, is_main_process
from tests.training.toys import run, saved_steps, toy_recipe

RECIPE = toy_recipe(total=20, log=5, save=7, evaluate=10)


def main(folder):
    initialize()
    mesh = make_mesh(model=2)

    def ask(at):
        if at == 2 and jax.process_index() == 1:
            signal.raise_signal(signal.SIGTERM)

    run(folder / "whole", RECIPE, mesh=mesh, before=ask)
    stopped = saved_steps(folder / "whole")
    if is_main_process():
        shutil.copytree(folder / "whole", folder / "stopped")
    barrier("copied")
    run(folder / "whole", RECIPE, mesh=mesh)
    print(json.dumps({"devices": mesh.size, "stopped": stopped}), flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
