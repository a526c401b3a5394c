import numpy as np
import pytest

from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.scores import score_pictures


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


EMPTY = Bundle({})


def test_l2_is_the_mean_square_in_units_of_the_network():
    black = np.zeros((1, 64, 64, 3), np.uint8)
    white = np.full((1, 64, 64, 3), 255, np.uint8)
    assert score_pictures(EMPTY, black, white) == [{"l2": pytest.approx(4.0)}]


def test_l2_is_taken_after_averaging_to_256():
    """Noise of +-1 in every 2x2 cell vanishes in its mean."""
    cell = np.array([[255, 0], [0, 255]], np.uint8)
    checks = np.tile(cell, (256, 256))[None, :, :, None].repeat(3, axis=3)
    grey = np.full((1, 512, 512, 3), 127, np.uint8)
    (score,) = score_pictures(EMPTY, checks, grey)
    assert score["l2"] < 1e-4


def test_scores_are_per_picture(images):
    scores = score_pictures(EMPTY, images, np.stack([images[0], 255 - images[1]]))
    assert scores[0]["l2"] == 0
    assert scores[1]["l2"] > 1


def test_identity_is_absent_without_arcface(images):
    assert score_pictures(EMPTY, images, images)[0].keys() == {"l2"}


def test_identity_of_a_picture_with_itself_is_one(small_bundle, images):
    scores = score_pictures(small_bundle, images, images)
    assert [score["identity"] for score in scores] == pytest.approx([1, 1], abs=1e-5)


def test_identity_of_another_picture_is_below_one(small_bundle, images):
    scores = score_pictures(small_bundle, images, images[::-1])
    assert all(score["identity"] < 1 - 1e-6 for score in scores)
