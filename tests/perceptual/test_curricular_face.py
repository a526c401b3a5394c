from functools import cache

import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.perceptual.curricular_face import (
    REFERENCE_POINTS,
    CurricularFace,
    crop_face,
    fit_similarity,
)
from tests.compiling import jit
from tests.nn.drawing import assert_near, draw, variables_of
from tests.reference import residual

IMAGES = draw(2, 112, 112, 3)
MODULE = CurricularFace(features=7, depths=(1, 1, 1, 1), widths=(2, 3, 4, 5))


def moved(points, matrix):
    return points @ matrix[:, :2].T + matrix[:, 2]


def similarity(angle, scale, shift):
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


# The network.


@cache
def _variables():
    return variables_of(MODULE, IMAGES)


def embed(images):
    return np.asarray(jit(MODULE.apply)(_variables(), images))


def test_embedding_equals_numpy():
    params, stats = _variables()["params"], _variables()["batch_stats"]
    x = residual.body(IMAGES.astype(np.float64), params["body"], stats["body"], (2,) * 4)[-1]
    x = residual.batch_norm(x, params["norm"], stats["norm"])
    dense, last = params["dense"]["linear"], stats["embedding_norm"]
    x = x.reshape(2, -1) @ dense["kernel"] + dense["bias"]
    x = (x - last["mean"]) / np.sqrt(last["var"] + 1e-5)
    assert_near(embed(IMAGES), x / np.linalg.norm(x, axis=1, keepdims=True))


def test_last_norm_learns_nothing():
    assert "embedding_norm" not in _variables()["params"]


def test_pictures_of_other_size_are_refused():
    with pytest.raises(ShapeError, match=r"`images` has shape .*required is \(any, 112, 112, 3\)"):
        embed(np.zeros((1, 256, 256, 3), np.float32))


# The crop.


def test_fit_recovers_rotation_scaling_and_shift():
    matrix = similarity(0.4, 2.5, (30, -12))
    np.testing.assert_allclose(fit_similarity(moved(REFERENCE_POINTS, matrix)), matrix)


def test_fit_recovers_a_mirrored_figure():
    matrix = similarity(0.4, 2.5, (30, -12)) * [[-1, 1, 1], [-1, 1, 1]]
    np.testing.assert_allclose(fit_similarity(moved(REFERENCE_POINTS, matrix)), matrix)


def test_fit_is_nearest_in_the_picture():
    """Any other similarity leaves the points farther away."""
    rng = np.random.default_rng(0)
    points = 3 * REFERENCE_POINTS + rng.normal(0, 5, (5, 2))
    matrix = fit_similarity(points)
    best = np.square(moved(REFERENCE_POINTS, matrix) - points).sum()
    (cos, _, x), (sin, _, y) = matrix
    for step in 1e-3 * np.eye(4):
        for a, b, c, d in (np.array([cos, sin, x, y]) + step, np.array([cos, sin, x, y]) - step):
            other = np.array([[a, -b, c], [b, a, d]])
            assert np.square(moved(REFERENCE_POINTS, other) - points).sum() > best


def test_points_of_other_number_are_refused():
    with pytest.raises(ShapeError, match=r"`points` has shape .*required is \(5, 2\)"):
        fit_similarity(np.zeros((68, 2)))


def noise(size):
    return np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)


def test_crop_of_a_picture_that_is_one_is_itself():
    image = noise(112)
    np.testing.assert_array_equal(crop_face(image, REFERENCE_POINTS), image)


def test_crop_follows_a_shifted_face():
    image = noise(140)
    crop = crop_face(image, REFERENCE_POINTS + np.array([11, 7]))
    np.testing.assert_array_equal(crop, image[7:119, 11:123])


def test_crop_turns_an_overturned_face_upright():
    image = noise(112)
    np.testing.assert_array_equal(crop_face(image, 111 - REFERENCE_POINTS), image[::-1, ::-1])


def test_crop_is_black_outside_the_picture():
    crop = crop_face(np.full((112, 112, 3), 200, np.uint8), REFERENCE_POINTS - np.array([20, 0]))
    assert (crop[:, :20].max(), crop[:, 20:].min()) == (0, 200)
