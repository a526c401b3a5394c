import numpy as np
import pytest

from sfe_jax.core.errors import OptionError, ShapeError, WeightsError
from sfe_jax.latents.projection import ProjectionOptions
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.projection import Projector
from tests.models.networks import NUM_WS, C, W, draw
from tests.pipelines.reconstruction import levels, tiny_bundle

QUICK = ProjectionOptions(steps=12)


pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def projector():
    return Projector(tiny_bundle(), options=QUICK, batch_size=2)


@pytest.fixture(scope="module")
def found(projector):
    """Three pictures in batches of two."""
    return projector.project(levels(3))


def test_every_picture_has_code_picture_and_distance(found):
    assert found.ws.shape == (3, NUM_WS, W)
    assert found.images.shape == (3, 16, 16, 3)
    assert found.distances.shape == (3,)


def test_a_picture_has_its_code_in_any_batch(projector, found):
    alone = projector.project(levels(3)[2:])
    np.testing.assert_allclose(alone.ws[0], found.ws[2], atol=1e-4)


def test_pictures_and_distances_are_those_of_the_codes(projector, found):
    again = projector.show(levels(3), found.ws)
    np.testing.assert_array_equal(again.images, found.images)
    np.testing.assert_array_equal(again.distances, found.distances)


def test_search_begins_at_the_mean_code(projector):
    looks = []
    projector.project(levels(1), watch=looks.append)
    mean, ws = projector.statistics.mean, looks[0].ws
    moved = np.abs(ws - mean).max()
    assert 0 < moved <= 10 * QUICK.learning_rate  # Ten steps, none longer than the rate.


def test_search_is_watched_every_ten_steps_and_at_the_end(projector):
    looks = []
    projector.project(levels(3), watch=looks.append)
    assert [(look.step, len(look.distances)) for look in looks] == [
        (10, 2),
        (12, 2),
        (10, 1),
        (12, 1),
    ]


def test_seeds_give_other_noise():
    bundle = tiny_bundle()
    first, second = (
        Projector(bundle, options=QUICK, seed=seed, batch_size=2).project(levels(2)).ws
        for seed in (1, 2)
    )
    assert np.abs(first - second).max() > 1e-4


def test_w_plus_begins_at_the_codes_that_are_given():
    options = ProjectionOptions(steps=1)  # Whose learning rate is 0.
    projector = Projector(tiny_bundle(), space="w+", options=options, batch_size=2)
    start = draw(2, NUM_WS, W)
    np.testing.assert_array_equal(projector.project(levels(2), start=start).ws, start)


def test_w_begins_at_the_mean_of_the_rows_that_are_given():
    options = ProjectionOptions(steps=1)
    projector = Projector(tiny_bundle(), options=options, batch_size=2)
    start = draw(2, NUM_WS, W)
    ws = projector.project(levels(2), start=start).ws
    np.testing.assert_allclose(
        ws, np.broadcast_to(start.mean(axis=1)[:, None], ws.shape), atol=1e-6
    )


# Refusals.


def test_an_unknown_space_is_refused():
    with pytest.raises(OptionError, match=r"`space` is 'z'; required is one of 'w', 'w\+'"):
        Projector(tiny_bundle(), space="z")


def test_no_steps_are_refused():
    with pytest.raises(OptionError, match="`steps` is 0"):
        Projector(tiny_bundle(), options=ProjectionOptions(steps=0))


def test_an_empty_batch_is_refused():
    with pytest.raises(OptionError, match="`batch_size` is 0"):
        Projector(tiny_bundle(), batch_size=0)


def test_a_missing_class_is_refused():
    with pytest.raises(OptionError, match=f"{C} classes"):
        Projector(tiny_bundle(c_dim=C))


def test_a_grey_generator_is_refused():
    with pytest.raises(WeightsError, match=r"tiny\.safetensors: .* 1 channels; required are 3"):
        Projector(tiny_bundle(image_channels=1))


def test_a_bundle_without_a_generator_is_refused():
    with pytest.raises(WeightsError, match="no 'generator'"):
        Projector(Bundle({}, path="bare.safetensors"))


@pytest.mark.parametrize("count", [0, 2])
def test_pictures_of_another_number_or_size_are_refused(projector, count):
    with pytest.raises(ShapeError, match="images"):
        projector.project(np.zeros((count, 16 + count, 16, 3), np.uint8))


def test_codes_of_another_generator_are_refused(projector):
    with pytest.raises(ShapeError, match="ws"):
        projector.project(levels(2), start=draw(2, NUM_WS + 1, W))
