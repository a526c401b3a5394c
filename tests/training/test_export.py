import pytest

from sfe_jax.core.errors import SfeError, WeightsError
from sfe_jax.pipelines.bundle import load_bundle
from sfe_jax.training.export import export
from tests.compiling import quick
from tests.training.toys import (
    ToyOptions,
    assert_same,
    released,
    run,
    saved_state,
    toy_recipe,
)

MEASURED = toy_recipe(
    method=ToyOptions(figures=(9, 9, 1, 9, 5)), total=4, save=1, evaluate=1, keep=2,
    best="evaluation/wanted",
)  # fmt: skip
"""Its best checkpoint is that of step 2."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder of a run of it."""
    folder = tmp_path_factory.mktemp("measured")
    run(folder, MEASURED)
    return folder


def test_newest_checkpoint_becomes_the_bundle_of_its_run(tmp_path):
    run(tmp_path, toy_recipe(total=3))
    with quick():
        assert export(toy_recipe(), tmp_path, tmp_path / "out" / "toy.safetensors") == 3
    exported = load_bundle(tmp_path / "out" / "toy.safetensors").networks["judge"].variables
    assert_same(exported, released(tmp_path)["judge"])


@pytest.mark.parametrize(("step", "taken"), [("newest", 4), ("best", 2), ("3", 3)])
def test_checkpoint_is_exported_as_it_is_named(measured, tmp_path, step, taken):
    path = tmp_path / "toy.safetensors"
    with quick():
        assert export(MEASURED, measured, path, step=step) == taken
    found = load_bundle(path).networks["judge"].variables
    assert_same(found, saved_state(measured, step=taken).averages["judge"])


@pytest.mark.parametrize(
    ("recipe", "step", "message"),
    [
        (MEASURED, "last", "step 'last'; required is 'newest', 'best' or a number"),
        (MEASURED, "7", "has no checkpoint of step 7; it has"),
        (toy_recipe(), "best", "no figure says what is best"),
    ],
)
def test_checkpoint_that_is_not_there_is_refused(measured, tmp_path, recipe, step, message):
    with pytest.raises(SfeError, match=message), quick():
        export(recipe, measured, tmp_path / "toy.safetensors", step=step)


def test_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=f"^{tmp_path}/checkpoints: "), quick():
        export(toy_recipe(), tmp_path, tmp_path / "toy.safetensors")
    assert list(tmp_path.iterdir()) == []
