"""Every recipe of `configs/`: as published by shapes alone, and run when made small."""

import json
import math
import runpy

import jax
import pytest

from benchmarks.pods.weights import CONFIGS, abstract_method, abstract_weights, load_recipe
from sfe_jax.core.errors import OptionError
from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.pipelines.bundle import Bundle, load_bundle
from sfe_jax.training.loop import EXAMPLES, fit
from sfe_jax.training.method import abstract_state
from sfe_jax.training.recipe import check_recipe, describe, steps
from sfe_jax.training.start import build_method
from tests import compiling
from tests.configs.shrinking import BATCH, STEPS, Noise, shrink, small_weights

PATHS = CONFIGS.glob("*.py")
RECIPES = sorted(path.stem for path in PATHS if not path.stem.startswith("eval_"))
FULL_SIZE = [name for name in RECIPES if not name.startswith("faces64")]

GENERATOR, DISCRIMINATOR = 30_370_060, 29_012_513
LATENT = 788_481

TRAINED = {  # Trainable numbers by role; those of the original networks.
    "ffhq1024_gan": {"generator": GENERATOR, "discriminator": DISCRIMINATOR},
    "ffhq1024_stylegan3": {"generator": 22_313_167, "discriminator": DISCRIMINATOR},
    "ffhq256_gan": {"generator": 24_767_458, "discriminator": 24_001_089},
    "ffhq1024_psp": {"psp": 267_136_704},
    "ffhq1024_e4e": {"e4e": 267_136_704, "latent_discriminator": LATENT},
    "ffhq1024_inverter": {"inverter": 138_056_384, "discriminator": DISCRIMINATOR},
    "ffhq1024_editor": {"feature_editor": 24_135_680, "discriminator": DISCRIMINATOR},
    "cars512_gan": {"generator": 30_276_583, "discriminator": 28_982_849},
    "cars512_e4e": {"e4e": 238_293_696, "latent_discriminator": LATENT},
    "cars512_inverter": {"inverter": 129_208_000, "discriminator": 28_982_849},
    "cars512_editor": {"feature_editor": 24_135_680, "discriminator": 28_982_849},
}

STEPS_OF_ORIGINAL = {  # Of the published commands and configurations.
    "ffhq1024_psp": 500_000,
    "ffhq1024_e4e": 200_000,
    "ffhq1024_inverter": 300_000,
    "ffhq1024_editor": 200_000,
    "cars512_e4e": 200_000,
}

KINDS = (  # One recipe of every method, with all its phases; the others run with `make test-slow`.
    "faces64_features",
    "ffhq256_gan",
    "faces64_psp",
    "ffhq1024_e4e",
    "ffhq1024_inverter",
    "ffhq1024_editor",
)
RUN = [pytest.param(n, marks=() if n in KINDS else pytest.mark.slow) for n in RECIPES]


def recipe_of(name):
    return load_recipe(CONFIGS / f"{name}.py")


def recipe_of_task(task):
    return load_recipe(f"{CONFIGS / 'ffhq1024_psp.py'}:{task}")


def count(variables):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_named_after_its_file(name):
    assert recipe_of(name).name == name


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_can_be_kept_in_a_checkpoint(name):
    described = describe(recipe_of(name))
    assert described == json.loads(json.dumps(described))


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in TRAINED])
def test_state_has_what_its_phases_train_without_files(name):
    method = abstract_method(recipe_of(name))
    state = abstract_state(method)
    assert state.optimizers.keys() == state.networks.keys()


def test_configuration_r_has_the_published_size_without_files():
    path = str(CONFIGS / "ffhq1024_stylegan3.py")
    recipe = runpy.run_path(path)["get_config"]("r")
    state = abstract_state(build_method(recipe, Bundle({}), labels=0))
    assert count(state.networks["generator"]) == 15_093_151
    assert (recipe.name, recipe.method.blur_sigma) == ("ffhq1024_stylegan3_r", 10.0)


PSP_TASKS = {  # What becomes of the recipe: codes' weight, terms, channels read.
    "frontalize": (0.005, (0.001, 0.08, 1.0, 0.01, 0.8), 3),
    "toonify": (0.025, (1.0, 0.8, 1.0, 0.0, 0.0), 3),
    "super_resolution": (0.005, (1.0, 0.8, 0.1, 0.0, 0.0), 3),
    "sketch": (0.005, (1.0, 0.8, 0.0, 0.0, 0.0), 1),
    "segmentation": (0.005, (1.0, 0.8, 0.0, 0.0, 0.0), 19),
}


@pytest.mark.parametrize("task", PSP_TASKS)
def test_task_of_psp_has_the_published_weights(task):
    recipe = recipe_of_task(task)
    terms = recipe.method.criteria
    weights = (terms.l2, terms.perceptual, terms.identity, terms.l2_crop, terms.perceptual_crop)
    w_norm, expected, _ = PSP_TASKS[task]
    assert (recipe.name, recipe.method.w_norm, weights) == (
        f"ffhq1024_psp_{task}",
        w_norm,
        expected,
    )


@pytest.mark.parametrize("task", PSP_TASKS)
def test_task_of_psp_reads_its_channels_without_files(task):
    recipe = recipe_of_task(task)
    check_recipe(recipe)
    # A generator of cartoons has the sizes of that of faces.
    weights = abstract_weights(recipe_of("ffhq1024_psp"))
    assert build_method(recipe, weights, labels=0).encoder.image_channels == PSP_TASKS[task][2]


def test_task_that_psp_has_not_is_refused():
    with pytest.raises(OptionError, match="task 'paint'; required is frontalize, toonify, "):
        recipe_of_task("paint")


@pytest.mark.parametrize("name", FULL_SIZE)
def test_networks_have_the_published_size_without_files(name):
    method = abstract_method(recipe_of(name))
    state = abstract_state(method)
    assert {role: count(v) for role, v in state.networks.items()} == TRAINED[name]


def batch_of(recipe, count):
    """Shapes of a batch of a recipe's data."""
    size = recipe.data.resolution
    attributes = jax.ShapeDtypeStruct((count, len(ATTRIBUTES)), "float32")
    image = jax.ShapeDtypeStruct((count, size, size, recipe.data.channels), "uint8")
    return {"image": image, "attributes": attributes}


@pytest.mark.parametrize("name", RECIPES)
def test_grids_are_tables_of_pictures(name):
    recipe = recipe_of(name)
    method = abstract_method(recipe)
    state = abstract_state(method)
    with jax.numpy_dtype_promotion("standard"):
        grids = jax.eval_shape(method.show, state, method.frozen, batch_of(recipe, EXAMPLES))
    assert {grid.ndim for grid in grids.values()} == {5}


@pytest.mark.parametrize("name", STEPS_OF_ORIGINAL)
def test_duration_is_that_of_the_original(name):
    recipe = recipe_of(name)
    assert steps(recipe.schedule.total, recipe.batch_size) == STEPS_OF_ORIGINAL[name]


@pytest.fixture(scope="module")
def weights():
    return small_weights()


@pytest.fixture(scope="module", params=RUN)
def run(request, weights, tmp_path_factory):
    """Two steps of a recipe made small: its folder and its bundle's path."""
    recipe = shrink(recipe_of(request.param))
    data, workdir = Noise(), tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        patch.setattr(jax, "jit", compiling.jit)  # Programs that run twice are quicker as they are.
        bundle = fit(
            recipe,
            build_method(recipe, weights, labels=0),
            data=data,
            examples=data.batch(2 * BATCH),
            evaluation=[data.batch(BATCH)],
            mesh=make_mesh(devices=jax.devices()[:1]),
            workdir=workdir,
        )
    return workdir, bundle


def test_small_run_logs_finite_scalars(run):
    workdir, _ = run
    lines = [json.loads(line) for line in (workdir / "scalars.jsonl").read_text().splitlines()]
    values = [value for line in lines for value in line["values"].values()]
    assert lines[-1]["step"] == STEPS
    assert values
    # What is not finite is written as a word.
    assert all(isinstance(value, float) for value in values)


def test_small_run_releases_a_bundle_that_can_be_read(run):
    _, bundle = run
    assert load_bundle(bundle).networks


def test_small_run_shows_pictures(run):
    workdir, _ = run
    assert list((workdir / "samples").glob("*.png"))
