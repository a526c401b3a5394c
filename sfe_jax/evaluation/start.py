"""From a recipe to a page of figures: mesh, networks, pictures, evaluators, report."""

import dataclasses
import json
import os
import pathlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import jax
from jax.sharding import Mesh

from sfe_jax.core.cache import keep_compiled
from sfe_jax.core.errors import OptionError, WeightsError
from sfe_jax.core.images import save_image
from sfe_jax.evaluation.editing import evaluate_editing
from sfe_jax.evaluation.generation import evaluate_generation
from sfe_jax.evaluation.inversion import evaluate_inversion
from sfe_jax.evaluation.measuring import TITLES, Setup
from sfe_jax.evaluation.pair_metrics import perceptual_metric
from sfe_jax.evaluation.participants import (
    FolderParticipant,
    NetworkParticipant,
    Participant,
    split_folder,
)
from sfe_jax.evaluation.plots import Point, draw_points
from sfe_jax.evaluation.recipe import EvaluationRecipe, check_recipe, describe
from sfe_jax.evaluation.report import page, standing
from sfe_jax.parallel.mesh import make_mesh, replicated
from sfe_jax.parallel.processes import initialize, is_main_process
from sfe_jax.pipelines.bundle import Bundle, Network, load_bundles
from sfe_jax.pipelines.editor import available_methods
from sfe_jax.readers import sha256
from sfe_jax.weights import faces64

BUNDLED = "faces64"
"""In a recipe's weights, the bundle that comes with the package."""

PAGE, PLOT, RECIPE = "report.md", "inversion_editing.png", "recipe.json"
"""Files of a run, in its folder."""


def weights_path(name: str) -> str:
    """The file that a recipe's name of weights stands for."""
    return str(faces64()) if name == BUNDLED else name


def open_participants(setup: Setup) -> list[Participant]:
    """Those that invert and edit: methods of the bundle, the fullest last, and folders.

    Raises:
        OptionError: If a method is unknown, a folder does not exist, two have one name, or the
            pictures are not of the generator's size.
        WeightsError: If a network is missing, or nobody takes part.
    """
    recipe, bundle = setup.recipe, setup.bundle
    methods = recipe.methods or available_methods(bundle)[::-1]
    found: list[Participant] = []
    for name in methods:
        method = NetworkParticipant(bundle, name, setup.mesh, precision=recipe.precision)
        if setup.pictures.form.resolution != method.resolution:
            raise OptionError(
                f"`data.resolution` is {setup.pictures.form.resolution}; required is "
                f"{method.resolution}, that of {bundle.path}, or 0"
            )
        found.append(method)
    for name, folder in map(split_folder, recipe.folders):
        found.append(FolderParticipant(name, folder, setup.pictures))
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise OptionError(f"participants are {', '.join(names)}; required are different names")
    if not found:
        held = ", ".join(bundle.networks)
        raise WeightsError(
            f"{bundle.path}: no method can run with {held}; add e4e or an inverter, or name "
            "`folders` of pictures"
        )
    return found


def notes_on(recipe: EvaluationRecipe, participants: Sequence[Participant]) -> list[str]:
    """What is not measured, and why."""
    parts = {"inversion": ["inversion"], "editing": [x.folder for x in recipe.editing.edits]}
    return [
        f"not measured: {each.name} has no folder `{part}`"
        for evaluator in recipe.evaluators
        for part in parts.get(evaluator, [])
        for each in participants
        if not each.offers(part)
    ]


def about_run(recipe: EvaluationRecipe, bundle: Bundle) -> dict[str, Any]:
    """What the figures depend on besides what each says itself."""
    files = [weights_path(name) for name in recipe.weights]
    device = jax.devices()[0]
    return {
        "name": recipe.name,
        "weights": ", ".join(f"`{pathlib.Path(x).name}`, SHA-256 `{sha256(x)}`" for x in files),
        "pictures": f"`{recipe.data.source}`",
        "device": f"{len(jax.devices())} x {device.device_kind}",
        "versions": ", ".join(
            [f"python {platform.python_version()}"]
            + [f"{name} {version(name)}" for name in ("jax", "flax", "numpy", "pillow")]
        ),
        "networks": ", ".join(bundle.networks),
    }


def _plot(setup: Setup) -> dict[str, str]:
    """Draws inversion against editing, if both were measured: file -> caption."""
    role = setup.recipe.pairs.perceptual
    distance = perceptual_metric(setup.bundle, role, size=0).name if role else "L2"
    frechet = setup.extractor.network.names.frechet
    found = standing(setup.log.found, distance, frechet)
    if not found:
        return {}
    points = {TITLES.get(name, name): Point(*values) for name, values in found.items()}
    labels = {"x_label": f"{distance} of inversions", "y_label": f"{frechet}, mean over edits"}
    save_image(setup.folder / PLOT, draw_points(points, **labels))
    return {PLOT: f"{labels['x_label']} against {labels['y_label']}"}


def _write(setup: Setup, participants: Sequence[Participant], about: Mapping[str, Any]) -> None:
    """Writes the page, its plot and the recipe."""
    recipe = setup.recipe
    pictures = _plot(setup)
    if "inversion" in recipe.evaluators and recipe.worst:
        names = [each.name for each in participants if each.offers("inversion")]
        pictures |= {f"worst_{x}.png": f"worst inversions of {TITLES.get(x, x)}" for x in names}
    text = page(setup.log.found, about, pictures, notes_on(recipe, participants))
    (setup.folder / PAGE).write_text(text, encoding="utf-8")
    (setup.folder / RECIPE).write_text(json.dumps(describe(recipe), indent=2) + "\n")


def placed(bundle: Bundle, mesh: Mesh) -> Bundle:
    """A bundle whose networks every device of a mesh holds: once, whoever uses them."""
    networks = {
        role: Network(network.module, jax.device_put(network.variables, replicated(mesh)))
        for role, network in bundle.networks.items()
    }
    return dataclasses.replace(bundle, networks=networks)


def _open_setup(recipe: EvaluationRecipe, bundle: Bundle, workdir: str | os.PathLike[str]) -> Setup:
    """The mesh and the folder of a run, and the networks on the mesh."""
    folder = pathlib.Path(workdir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"{folder}: cannot be written ({error.strerror}); choose another --workdir"
        ) from error
    mesh = make_mesh(data=recipe.devices)
    if recipe.batch_size % mesh.size:
        raise OptionError(
            f"`batch_size` is {recipe.batch_size}; required is a multiple of the {mesh.size} "
            "devices that share it"
        )
    return Setup(recipe, placed(bundle, mesh), mesh, folder)


def evaluate(recipe: EvaluationRecipe, workdir: str | os.PathLike[str]) -> pathlib.Path:
    """Measures what a recipe asks for.

    Args:
        recipe: Any.
        workdir: Folder of the results, which replace those of an earlier run.

    Returns:
        The page of figures; the others lie beside it.

    Raises:
        SfeError: If the recipe, the pictures or the networks cannot be used.
    """
    check_recipe(recipe)
    initialize()
    keep_compiled()
    bundle = load_bundles(map(weights_path, recipe.weights))
    about = about_run(recipe, bundle)  # Before the files can change.
    setup = _open_setup(recipe, bundle, workdir)
    invert = {"inversion", "editing"} & set(recipe.evaluators)
    participants = open_participants(setup) if invert else []
    if "generation" in recipe.evaluators:
        evaluate_generation(setup)
    if "inversion" in recipe.evaluators:
        evaluate_inversion(setup, participants)
    if "editing" in recipe.evaluators:
        evaluate_editing(setup, participants)
    if is_main_process():
        _write(setup, participants, about)
    return setup.folder / PAGE
