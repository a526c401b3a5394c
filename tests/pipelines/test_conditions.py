import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sfe_jax.pipelines.conditions import condition_values, degrade
from tests.reference.resize import reduce_bicubic


def levels(*shape, highest=256):
    return np.random.default_rng(0).integers(0, highest, shape, np.uint8)


def test_pictures_are_read_from_minus_one_to_one():
    values = condition_values(jnp.asarray([[[[0, 255, 51]]]], jnp.uint8), 3)
    np.testing.assert_allclose(values[0, 0, 0], [-1, 1, -0.6], atol=1e-6)


def test_sketches_are_read_from_zero_to_one():
    values = condition_values(jnp.asarray([[[[0], [255], [51]]]], jnp.uint8), 1)
    np.testing.assert_allclose(values[0, 0, :, 0], [0, 1, 0.2], atol=1e-6)


def test_labels_are_read_as_zeros_and_ones():
    values = condition_values(jnp.asarray([[[[2], [0], [9]]]], jnp.uint8), 4)
    np.testing.assert_array_equal(values[0, 0], [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("factor", [1, 2, 4, 16])
def test_degraded_picture_equals_the_original_way_by_pillow(factor):
    picture = levels(32, 32, 3)
    small = reduce_bicubic(picture[None] / 255.0, factor)[0]
    cut = Image.fromarray((np.clip(small, 0, 1) * 255 + 1e-3).astype(np.uint8))
    expected = np.asarray(cut.resize((32, 32), Image.Resampling.BILINEAR), np.float64)
    images = condition_values(jnp.asarray(picture[None]), 3)
    found = (np.asarray(degrade(images, factor)[0]) + 1) * 127.5
    np.testing.assert_allclose(found, expected, atol=1.01)  # Pillow rounds after either axis.


def test_degrading_keeps_a_plain_picture_to_its_level():
    images = condition_values(jnp.full((1, 16, 16, 3), 100, jnp.uint8), 3)
    np.testing.assert_allclose((np.asarray(degrade(images, 4)) + 1) * 127.5, 100, atol=1e-3)
