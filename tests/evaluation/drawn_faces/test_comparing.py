import dataclasses
from functools import partial

import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.evaluation.drawn_faces.comparing import (
    Figure,
    compare,
    figure,
    take_rows,
)
from tests.compiling import jit
from tests.evaluation.stubs import EYES, faces

IMAGES = faces(3)


@partial(jit, static_argnums=())
def compared(images, target):
    read = partial(EYES.module.apply, {})
    return compare(images, target, read(images), read(target))


def test_equal_pictures_have_no_distance():
    found = compared(IMAGES, IMAGES)
    expected = {"l2": 0, "ms_ssim": 1, "feature_distance": 0, "identity": 1}
    for name, value in found._asdict().items():
        np.testing.assert_allclose(value, [expected[name]] * 3, atol=1e-5)


def test_l2_is_the_mean_square_of_each_picture():
    target = IMAGES + np.array([0, 0.1, 0.5], np.float32)[:, None, None, None]
    np.testing.assert_allclose(compared(IMAGES, target).l2, [0, 0.01, 0.25], atol=1e-5)


def test_feature_distance_is_that_of_directions_at_each_position():
    """Maps of opposite sign are 2 apart, squared 4; maps of other lengths are equal."""
    found = compared(IMAGES, np.stack([IMAGES[0], 2 * IMAGES[1], -IMAGES[2]]))
    np.testing.assert_allclose(found.feature_distance, [0, 0, 4], atol=1e-2)


def test_identity_is_the_cosine_of_embeddings():
    grey, white = np.zeros((1, 16, 16, 3), np.float32), np.ones((1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(compared(grey, white).identity, [0.5], rtol=1e-5)


def test_pictures_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="`target` has shape"):
        compared(IMAGES, IMAGES[:2])


def test_figure_is_mean_and_standard_error():
    found = figure(np.array([1.0, 2.0, 3.0, 6.0]))
    variance = (4 + 1 + 0 + 9) / 3
    assert dataclasses.astuple(found) == pytest.approx((3.0, np.sqrt(variance / 4)))


def test_figure_of_one_picture_has_no_error():
    assert figure(np.array([2.0])) == Figure(2.0, 0.0)


def test_rows_are_taken_from_every_array():
    found = take_rows({"a": np.arange(4), "b": (np.eye(4), None)}, np.array([3, 1]))
    np.testing.assert_array_equal(found["a"], [3, 1])
    np.testing.assert_array_equal(found["b"][0], np.eye(4)[[3, 1]])
