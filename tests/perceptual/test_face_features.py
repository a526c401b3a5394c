from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.perceptual.face_features import FaceFeatures
from tests.compiling import jit

MODULE = FaceFeatures(("age", "smile", "glasses"), channels=(4, 5, 6), embedding_size=7)

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)


@cache
def _program():
    variables = jax.jit(MODULE.init)(jax.random.key(1), IMAGES)
    return jit(lambda images: MODULE.apply(variables, images))


def read(images=IMAGES):
    return jax.tree.map(np.asarray, _program()(images))


@pytest.mark.parametrize(("widths", "size"), [(2, 8), (3, 16), (5, 64), (7, 256)])
def test_input_size_is_4_doubled_per_halving(widths, size):
    assert FaceFeatures(("age",), channels=(1,) * widths).input_size == size


def test_there_is_a_score_per_attribute():
    assert read()["attributes"].shape == (2, 3)


def test_maps_halve_down_to_4():
    shapes = [x.shape for x in read()["maps"]]
    assert shapes == [(2, 16, 16, 4), (2, 8, 8, 5), (2, 4, 4, 6)]


def test_embedding_has_its_size_and_unit_length():
    embedding = read()["embedding"]
    assert embedding.shape == (2, 7)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", ["attributes", "embedding"])
def test_reading_differs_between_pictures(name):
    first, second = read()[name]
    assert np.abs(first - second).max() > 1e-3


def test_reading_of_one_picture_does_not_depend_on_another():
    other = read(np.stack([IMAGES[0], -IMAGES[1]]))
    np.testing.assert_allclose(other["attributes"][0], read()["attributes"][0], rtol=1e-5)


def test_slopes_are_finite_where_the_embedding_is_zero():
    variables = jax.tree.map(jnp.zeros_like, jax.jit(MODULE.init)(jax.random.key(1), IMAGES))
    total = lambda images: jnp.sum(MODULE.apply(variables, images)["embedding"])  # noqa: E731
    assert np.isfinite(jit(jax.grad(total))(IMAGES)).all()


@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (1, 16, 16, 1), (16, 16, 3)])
def test_pictures_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"`images` has shape .*required is \(any, 16, 16, 3\)"):
        _program()(np.zeros(shape, np.float32))
