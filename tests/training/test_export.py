import pytest

from sfe_jax.core.errors import WeightsError
from sfe_jax.pipelines.bundle import load_bundle
from sfe_jax.training.export import export
from tests.compiling import quick
from tests.training.toys import assert_same, released, run, toy_recipe


def test_newest_checkpoint_becomes_the_bundle_of_its_run(tmp_path):
    run(tmp_path, toy_recipe(total=3))
    with quick():
        assert export(toy_recipe(), tmp_path, tmp_path / "out" / "toy.safetensors") == 3
    exported = load_bundle(tmp_path / "out" / "toy.safetensors").networks["judge"].variables
    assert_same(exported, released(tmp_path)["judge"])


def test_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=f"^{tmp_path}/checkpoints: "), quick():
        export(toy_recipe(), tmp_path, tmp_path / "toy.safetensors")
    assert list(tmp_path.iterdir()) == []
