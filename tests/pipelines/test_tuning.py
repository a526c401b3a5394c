import numpy as np
import pytest

from sfe_jax.core.errors import OptionError, ShapeError
from sfe_jax.core.trees import flatten
from sfe_jax.latents.pivotal_tuning import TuningOptions
from sfe_jax.pipelines.bundle import load_bundle, save_bundle
from sfe_jax.pipelines.reconstruction import Reconstructor
from sfe_jax.pipelines.tuning import Tuner
from tests.models.networks import NUM_WS, C, W, draw
from tests.pipelines.reconstruction import levels, tiny_bundle

OPTIONS = TuningOptions(steps=12, learning_rate=0.01, enough=0.0)
PIVOTS = draw(3, NUM_WS, W)


pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def tuner():
    return Tuner(tiny_bundle(), options=OPTIONS)


@pytest.fixture(scope="module")
def tuned(tuner):
    """Three pictures, one after the other."""
    return tuner.tune(levels(3), PIVOTS)


def test_every_picture_is_nearer_than_at_its_pivot(tuner, tuned):
    assert (tuned.distances < 0.9 * tuner.show(levels(3), PIVOTS).distances).all()


def test_a_batch_is_tuned_as_its_pictures_one_by_one(tuned):
    """Three pictures in batches of two, the last of which is filled up."""
    together = Tuner(tiny_bundle(), options=OPTIONS, batch_size=2).tune(levels(3), PIVOTS)
    np.testing.assert_allclose(together.distances, tuned.distances, rtol=1e-2)


def test_bundle_of_a_picture_shows_it(tuned):
    """Its generator, without tuning, gives the tuned picture at the pivot."""
    own = Reconstructor(
        tuned.bundle(1), distance=None, size=None, batch_size=1, precision="float32"
    )
    found = own.show(levels(3)[1:2], PIVOTS[1:2])
    assert np.abs(found.images[0].astype(int) - tuned.images[1]).max() <= 1


def test_mapping_network_stays(tuned):
    before = flatten(tiny_bundle().network("generator").variables)
    after = flatten(tuned.bundle(0).network("generator").variables)
    kept = {path for path, x in before.items() if (np.asarray(x) == after[path]).all()}
    assert kept == {path for path in before if not path.startswith("params/synthesis/")}


def test_tuned_bundle_is_a_file(tuned, tmp_path):
    save_bundle(tmp_path / "tuned.safetensors", tuned.bundle(2))
    loaded = load_bundle(tmp_path / "tuned.safetensors").network("generator")
    expected = flatten(tuned.bundle(2).network("generator").variables)
    for path, value in flatten(loaded.variables).items():
        np.testing.assert_array_equal(value, expected[path], err_msg=path)


def test_tuning_ends_where_it_is_enough():
    looks = []
    tuner = Tuner(tiny_bundle(), options=TuningOptions(steps=50, enough=1e6))
    tuned = tuner.tune(levels(1), PIVOTS[:1], watch=looks.append)
    assert (tuned.steps.tolist(), [look.step for look in looks]) == ([0], [10])


# Refusals.


def test_no_steps_are_refused():
    with pytest.raises(OptionError, match="`steps` is 0"):
        Tuner(tiny_bundle(), options=TuningOptions(steps=0))


def test_locality_of_a_conditional_generator_needs_a_class():
    with pytest.raises(OptionError, match=f"{C} classes"):
        Tuner(tiny_bundle(c_dim=C), options=TuningOptions(locality=0.1))


def test_a_pivot_is_needed_for_every_picture(tuner):
    with pytest.raises(ShapeError, match="ws"):
        tuner.tune(levels(3), PIVOTS[:2])
