"""The networks of a checkpoint of a run as a bundle, while it trains or after."""

import os
import pathlib

import jax

from sfe_jax.checkpoints import Best, Checkpoints
from sfe_jax.core.errors import OptionError
from sfe_jax.parallel.mesh import make_mesh, replicated
from sfe_jax.parallel.sharding import with_shardings
from sfe_jax.pipelines.bundle import load_bundles, save_bundle
from sfe_jax.training.method import abstract_state
from sfe_jax.training.recipe import Recipe
from sfe_jax.training.start import build_method, label_count


def _chosen(checkpoints: Checkpoints, step: str) -> int | None:
    """The step that `step` means; None for the newest."""
    if step == "newest":
        return None
    if step.isdecimal():
        return int(step)
    if step != "best":
        raise OptionError(f"step {step!r}; required is 'newest', 'best' or a number of steps")
    best = checkpoints.best_step()
    if best is None:
        raise OptionError(f"{checkpoints.folder}: no checkpoint was measured; choose 'newest'")
    return best


def export(
    recipe: Recipe, workdir: str | os.PathLike[str], out: pathlib.Path, *, step: str = "newest"
) -> int:
    """Writes the networks of a checkpoint of a run; the run may go on meanwhile.

    Args:
        recipe: Of the run.
        workdir: Of the run.
        out: The bundle to write.
        step: "newest", "best" by the recipe's `best`, or the number of a checkpoint.

    Returns:
        Steps taken when the checkpoint was written.

    Raises:
        OptionError: If `step` is none of these, or nothing says what is best.
        WeightsError: If there is no such checkpoint, or it is of other networks.
    """
    method = build_method(recipe, load_bundles(recipe.weights), labels=label_count(recipe))
    state = abstract_state(method)
    # Optimisers take twice the memory of the networks that they move; they stay unread.
    named = {"step": state.step, "networks": state.networks, "averages": state.averages}
    wanted = {name: part for name, part in named.items() if jax.tree.leaves(part)}
    like = with_shardings(wanted, replicated(make_mesh(devices=jax.devices()[:1])))
    folder = pathlib.Path(workdir) / "checkpoints"
    best = Best(recipe.best, recipe.best_is) if recipe.best else None
    with Checkpoints(folder, best=best, read_only=True) as checkpoints:
        read = checkpoints.restore_part(like, step=_chosen(checkpoints, step))
    state = state._replace(**read)
    save_bundle(out, method.bundle(state))
    return int(state.step)
