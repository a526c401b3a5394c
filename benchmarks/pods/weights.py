"""Recipes at full size without a file: networks as shapes alone, directions as noise.

The bundles of a recipe are followed to where they come from: `runs/NAME/NAME.safetensors` is what
the recipe `configs/NAME.py` trains, the others are converted from official files.
"""

import importlib.util
import pathlib
from functools import cache

import numpy as np

from sfe_jax.core.errors import OptionError
from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.models.layer_table import num_ws
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.random_bundle import (
    abstract_networks,
    full_size_modules,
    random_directions,
)
from sfe_jax.training.method import Method, abstract_state
from sfe_jax.training.recipe import Recipe
from sfe_jax.training.start import build_method

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
"""Where the recipes are."""

JUDGES = ("arcface", "iresnet", "moco", "lpips_alex", "lpips_vgg")
"""Networks of `weights/judges.safetensors`."""


def load_recipe(path: str | pathlib.Path) -> Recipe:
    """The recipe of a file of `configs/`, or with `:VARIANT` behind it one of its variants.

    Raises:
        OptionError: If there is no such file, or it has no such variant.
    """
    name, _, variant = str(path).partition(":")
    path = pathlib.Path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise OptionError(f"recipe {path} does not exist; required is a file of {CONFIGS}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(*filter(None, [variant]))


def _games(resolution: int) -> Bundle:
    """Generator and discriminator, as converted from an official pickle."""
    modules = full_size_modules(resolution)
    return Bundle(
        abstract_networks({role: modules[role] for role in ("generator", "discriminator")})
    )


def _judges() -> Bundle:
    """Networks that judge photographs, as converted from official files."""
    modules = full_size_modules()
    return Bundle(abstract_networks({role: modules[role] for role in JUDGES}))


def _directions(resolution: int) -> Bundle:
    """Arrays of all published directions."""
    rng = np.random.default_rng(0)
    return Bundle({}, random_directions(num_ws(resolution), 512, rng=rng))


def _fitted_directions(shape: tuple[int, int]) -> Bundle:
    """A direction for every attribute of procedural faces, as `sfe fit-directions` writes them.

    Args:
        shape: Rows L and size W of W+.
    """
    rng = np.random.default_rng(0)
    arrays = {f"fitted/{row.name}": rng.standard_normal(shape, np.float32) for row in ATTRIBUTES}
    records = tuple(
        Direction(row.name, "fitted", Linear(f"fitted/{row.name}", 1.0), -2.0, 2.0, "", "")
        for row in ATTRIBUTES
    )
    return Bundle({}, arrays, records=records)


def _converted(name: str) -> Bundle:
    """A bundle that no recipe trains."""
    match name:
        case "judges":
            return _judges()
        case "ffhq1024" | "ffhq1024_toonify":
            return _games(1024)
        case "cars512":
            return _games(512)
        case "ffhq1024_directions":
            return _directions(1024)
        case "cars512_directions":
            return _directions(512)
        case "faces64":  # What the package holds; recipes read these two of it.
            return Bundle(
                {**_bundle("faces64_gan").networks, **_bundle("faces64_features").networks}
            )
        case "faces64_directions" | "faces64_small_directions":
            return _fitted_directions((10, 96))
    raise OptionError(f"bundle {name!r} is neither of a recipe nor known as a converted one")


@cache
def _bundle(name: str) -> Bundle:
    """The bundle of a name, with networks as shapes."""
    path = CONFIGS / f"{name}.py"
    if not path.is_file():
        return _converted(name)
    method = abstract_method(load_recipe(path))
    return method.bundle(abstract_state(method))


def abstract_weights(recipe: Recipe) -> Bundle:
    """What the bundles of a recipe hold, with networks as shapes.

    Raises:
        OptionError: If it is not known what a bundle holds.
    """
    networks: dict[str, Network] = {}
    directions: dict[str, np.ndarray] = {}
    records: dict[str, Direction] = {}
    for path in recipe.weights:
        bundle = _bundle(pathlib.Path(path).stem)
        networks |= bundle.networks
        directions |= bundle.directions
        records |= {record.name: record for record in bundle.records}
    return Bundle(networks, directions, records=tuple(records.values()), path=recipe.name)


def abstract_method(recipe: Recipe) -> Method:
    """The method of a recipe as it would be built from its bundles, with networks as shapes."""
    return build_method(recipe, abstract_weights(recipe), labels=0)
