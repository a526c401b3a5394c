import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError, OptionError, WeightsError
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.pipelines.bundle import Bundle, Network, load_bundles, save_bundle
from sfe_jax.pipelines.random_bundle import random_variables
from sfe_jax.training import start
from sfe_jax.training.recipe import DataOptions, MeshOptions
from sfe_jax.training.start import (
    build_method,
    describe_run,
    label_count,
    open_data,
    train,
)
from tests.compiling import quick
from tests.data.pictures import flat, flat_files, levels_of, png, write_folder
from tests.training.toys import BATCH, ToyOptions, saved_steps, toy_recipe, values

LABELS = [[f"{index:03d}.png", index % 3] for index in range(20)]


@dataclass(unsafe_hash=True)
class Asking(ToyOptions):
    """Options of the toy that keep what they are told of the data."""

    told: list = field(default_factory=list, compare=False)
    task: str = "translate"

    def build(self, setting):
        self.told.append(setting)
        return super().build(setting)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 20 pictures of three kinds, each of the level of its number."""
    return write_folder(tmp_path_factory.mktemp("pictures"), flat_files(20), LABELS)


@pytest.fixture
def data(pictures, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "kept as it is")
    return DataOptions(source=str(pictures), resolution=16, channels=1, threads=0)


# A whole run.


def test_run_from_a_recipe_trains_measures_and_goes_on(tmp_path, data):
    def recipe(total):
        return toy_recipe(
            total=total, log=2, save=2, show=2, evaluate=2, data=data, evaluation_data=data
        )

    with quick():
        path = train(recipe(2), tmp_path)
        assert (path, saved_steps(tmp_path)) == (tmp_path / "toy.safetensors", [2])
        train(recipe(4), tmp_path)
    assert saved_steps(tmp_path) == [2, 4]
    line = values(tmp_path)[4]
    assert {"loss/train", "evaluation/loss"} <= line.keys()
    # 48 examples, the least multiple of the batch that is enough for every method.
    assert [path.name for path in sorted((tmp_path / "samples").glob("examples-*"))] == [
        f"examples-{BATCH * step:09d}.png" for step in (0, 2, 4)
    ]


@pytest.mark.parametrize(("used", "size"), [(True, 3), (False, 0)])
def test_method_is_told_of_data_and_batch(tmp_path, data, used, size):
    method = Asking()
    data.labels = used
    recipe = toy_recipe(total=1, data=data, method=method, precision="bfloat16")
    with quick():
        train(recipe, tmp_path)
    (setting,) = method.told
    assert (setting.label_size, setting.resolution, setting.channels) == (size, 16, 1)
    assert (setting.batch_size, setting.precision) == (BATCH, "bfloat16")
    assert label_count(recipe) == size


def test_mesh_that_does_not_fit_the_devices_is_refused(tmp_path, data):
    with pytest.raises(OptionError, match="`model` is 3; required is a product of 8"):
        train(toy_recipe(data=data, mesh=MeshOptions(model=3)), tmp_path)


def test_choice_that_does_not_exist_is_refused_before_data_is_opened(tmp_path):
    missing = DataOptions(source="/nowhere")
    with pytest.raises(OptionError, match="`precision` is 'float16'"):
        train(toy_recipe(data=missing, precision="float16"), tmp_path)


# Data.


def test_missing_data_is_refused():
    with pytest.raises(OptionError, match="source '/nowhere' does not exist"):
        open_data(DataOptions(source="/nowhere"))


def test_pairs_are_brought_to_one_size_and_kind(tmp_path, pictures):
    maps = write_folder(
        tmp_path / "maps", {f"{i:03d}.png": png(flat(i, 32)[..., 0]) for i in range(20)}
    )
    options = DataOptions(
        source=str(pictures), resolution=16, condition=str(maps), condition_channels=20
    )
    record = open_data(options)[7]
    assert (record["condition"].shape, record["condition"].max()) == ((16, 16, 1), 7)


def test_method_is_told_of_conditions():
    method = Asking()
    data = DataOptions(condition="maps", condition_channels=19)
    build_method(toy_recipe(method=method, data=data), Bundle({}), labels=0)
    (setting,) = method.told
    assert setting.condition_channels == 19


def test_conditions_that_a_method_does_not_read_are_refused():
    with pytest.raises(OptionError, match=r"`data\.condition` is 'maps', which this method does"):
        build_method(toy_recipe(data=DataOptions(condition="maps")), Bundle({}), labels=0)


def test_procedural_faces_are_drawn_as_the_recipe_says(monkeypatch):
    asked = []
    monkeypatch.setattr(
        start, "open_source", lambda *args, **options: asked.append((args, options))
    )
    open_data(DataOptions(source="faces", resolution=32, count=7, split="detailed", seed=5))
    ((args, options),) = asked
    assert (args, options["data_dir"]) == (("faces",), None)
    faces = options["faces"]
    assert (faces.resolution, faces.count, faces.split, faces.seed) == (32, 7, "detailed", 5)


def test_streamed_faces_of_the_grids_are_others_than_those_of_training(monkeypatch):
    made = []

    class Stream:
        def __init__(self, **options):
            made.append(options)

        def __next__(self):
            return {}

    monkeypatch.setattr(start, "FaceStream", Stream)
    recipe = toy_recipe(data=DataOptions(source="faces:stream", resolution=16, seed=5))
    start._open_streams(recipe, make_mesh())
    assert [(options["seed"], options["batch_size"]) for options in made] == [(6, 48), (5, BATCH)]


@pytest.mark.parametrize(("batch_size", "count"), [(8, 48), (32, 64), (64, 64), (50, 50)])
def test_examples_are_whole_batches(batch_size, count):
    assert start._example_count(batch_size) == count


@pytest.mark.parametrize(("evaluated", "batches"), [(1_000, 2), (8, 1)])
def test_unseen_data_gives_the_same_whole_batches_in_every_pass(data, evaluated, batches):
    recipe = toy_recipe(evaluation_data=data)
    recipe.schedule.evaluated = evaluated
    unseen = start._unseen(recipe, make_mesh())
    expected = [list(range(BATCH * index, BATCH * (index + 1))) for index in range(batches)]
    for _ in range(2):
        assert [levels_of(batch) for batch in unseen] == expected


def test_unseen_data_of_less_than_a_batch_is_refused(data):
    recipe = toy_recipe(evaluation_data=data, batch_size=24)
    with pytest.raises(OptionError, match="of 20 pictures; required is a batch of 24"):
        start._unseen(recipe, make_mesh())


def test_unseen_batch_short_of_an_unreadable_picture_repeats_its_own(tmp_path):
    files = flat_files(16)
    files["003.png"] = b"no picture"
    source = write_folder(tmp_path / "pictures", files)
    data = DataOptions(source=str(source), resolution=16, channels=1, threads=0)
    with pytest.warns(match="left out"):
        found = [
            levels_of(batch)
            for batch in start._unseen(toy_recipe(evaluation_data=data), make_mesh())
        ]
    assert found == [[0, 1, 2, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15, 9]]


def test_labels_of_data_without_any_are_refused():
    recipe = toy_recipe(data=DataOptions(source="pictures", labels=True))
    with pytest.raises(OptionError, match=r"`data\.labels` is set, but pictures has no labels"):
        build_method(recipe, Bundle({}), labels=0)


# Weights.


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Paths of two bundles that share a role."""
    module = LatentDiscriminator(features=4, num_layers=2)

    def network(seed):
        return Network(module, random_variables(module, np.random.default_rng(seed)))

    folder = tmp_path_factory.mktemp("bundles")
    held = {"one": {"a": network(1), "b": network(2)}, "two": {"b": network(3)}}
    for name, networks in held.items():
        save_bundle(folder / f"{name}.safetensors", Bundle(networks))
    return [str(folder / f"{name}.safetensors") for name in held], held


def test_later_bundle_counts_where_two_hold_the_same(bundles):
    paths, held = bundles
    weights = load_bundles(paths)
    assert set(weights.networks) == {"a", "b"}
    found, expected = (
        network.variables["params"]["dense0"]["linear"]["kernel"]
        for network in (weights.network("b"), held["two"]["b"])
    )
    np.testing.assert_array_equal(found, expected)


def test_role_that_no_bundle_holds_is_refused_with_all_of_them(bundles):
    paths, _ = bundles
    with pytest.raises(WeightsError, match=r"one\.safetensors, .*two\.safetensors: no 'c' in"):
        load_bundles(paths).network("c")


def test_recipe_without_weights_says_so():
    with pytest.raises(WeightsError, match=r"the recipe's `weights` \(none\): no 'generator'"):
        load_bundles(()).network("generator")


def test_missing_bundle_is_refused():
    with pytest.raises(FileFormatError, match=r"nowhere\.safetensors: no such file"):
        load_bundles(("nowhere.safetensors",))


def test_directions_of_the_weights_reach_the_method():
    method = Asking()
    weights = Bundle({}, {"smile": np.ones(3)})
    build_method(toy_recipe(method=method), weights, labels=5)
    (setting,) = method.told
    assert setting.directions is weights.directions
    assert setting.label_size == 0  # The recipe uses no labels.


# Looking before training.


def test_description_holds_recipe_and_sizes_of_networks():
    text, sizes = describe_run(toy_recipe()).rsplit("\n}\n", 1)
    assert json.loads(text + "}")["name"] == "toy"
    # 16 x 16 + 16 and 16 + 1; one of the frozen.
    assert sizes.splitlines() == ["judge: 289 parameters", "target: 1 parameters"]
