from functools import cache

import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.perceptual.arcface import ArcFace, identity_similarity
from sfe_jax.pipelines.random_bundle import random_variables
from tests.compiling import jit

IMAGES = np.random.default_rng(0).standard_normal((2, 256, 256, 3)).astype(np.float32)


@cache
def _program():
    fields = {"depths": (1, 1, 1, 1), "widths": (3, 4, 5, 6), "input_size": 32}
    module = ArcFace(features=8, **fields)
    variables = random_variables(module, np.random.default_rng(1))
    return jit(lambda images: module.apply(variables, images))


def embed(images=IMAGES):
    return np.asarray(_program()(images))


def test_embedding_has_unit_length():
    np.testing.assert_allclose(np.linalg.norm(embed(), axis=1), 1, rtol=1e-6)


def test_embedding_differs_between_pictures():
    first, second = embed()
    assert np.abs(first - second).max() > 1e-3


def test_embedding_ignores_pixels_outside_face():
    face = np.zeros_like(IMAGES)
    face[:, 35:223, 32:220] = IMAGES[:, 35:223, 32:220]
    np.testing.assert_allclose(embed(face), embed(), atol=1e-6)


@pytest.mark.parametrize(("row", "column"), [(35, 100), (222, 100), (100, 32), (100, 219)])
def test_embedding_reads_face_up_to_its_border(row, column):
    changed = np.array(IMAGES)
    changed[:, row, column] += 100
    assert np.abs(embed(changed) - embed()).max() > 1e-4


@pytest.mark.parametrize("shape", [(1, 112, 112, 3), (1, 256, 256, 1), (256, 256, 3)])
def test_arcface_refuses_pictures_of_other_shape(shape):
    with pytest.raises(ShapeError, match=r"`images` has shape .*required is \(any, 256, 256, 3\)"):
        _program()(np.zeros(shape, np.float32))


def test_similarity_of_same_embedding_is_one():
    np.testing.assert_allclose(identity_similarity(embed(), embed()), 1, rtol=1e-6)


def test_similarity_is_cosine_of_angle():
    angle = np.float32(0.3)
    first, second = np.array([[1, 0]], np.float32), np.array([[np.cos(angle), np.sin(angle)]])
    similarity = identity_similarity(first, second.astype(np.float32))
    np.testing.assert_allclose(similarity, np.cos(angle), rtol=1e-6)
