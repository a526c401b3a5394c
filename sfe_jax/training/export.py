"""The networks of a run's newest checkpoint as a bundle, while it trains or after."""

import os
import pathlib

import jax

from sfe_jax.checkpoints import Checkpoints
from sfe_jax.parallel.mesh import make_mesh, replicated
from sfe_jax.parallel.sharding import with_shardings
from sfe_jax.pipelines.bundle import load_bundles, save_bundle
from sfe_jax.training.method import abstract_state
from sfe_jax.training.recipe import Recipe
from sfe_jax.training.start import build_method, label_count


def export(recipe: Recipe, workdir: str | os.PathLike[str], out: pathlib.Path) -> int:
    """Writes the networks of a run's newest checkpoint; the run may go on meanwhile.

    Args:
        recipe: Of the run.
        workdir: Of the run.
        out: The bundle to write.

    Returns:
        Steps taken when the checkpoint was written.

    Raises:
        WeightsError: If there is no checkpoint, or it is of other networks.
    """
    method = build_method(recipe, load_bundles(recipe.weights), labels=label_count(recipe))
    like = with_shardings(abstract_state(method), replicated(make_mesh(devices=jax.devices()[:1])))
    with Checkpoints(pathlib.Path(workdir) / "checkpoints", read_only=True) as checkpoints:
        state, _ = checkpoints.restore(like)
    save_bundle(out, method.bundle(state))
    return int(state.step)
