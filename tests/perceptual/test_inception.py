from functools import cache

import jax
import numpy as np
import pytest

from convert_weights.assemble import export_state
from convert_weights.name_maps.inception import inception_entries
from sfe_jax.core.errors import ShapeError
from sfe_jax.perceptual.inception import (
    FidInception,
    average_inside,
    halving_maximum,
    maximum_around,
    resize_for_fid,
)
from tests.compiling import jit
from tests.nn.drawing import assert_near, draw, variables_of
from tests.reference import networks as reference
from tests.reference.resize import resize_bilinear

SIZE = 75
MODULE = FidInception(narrowing=16, input_size=SIZE)
IMAGES = draw(2, SIZE, SIZE, 3)


@cache
def _variables():
    return variables_of(MODULE, IMAGES)


@cache
def _reading():
    return jax.tree.map(np.asarray, jit(MODULE.apply)(_variables(), IMAGES))


@cache
def _expected():
    state = export_state(_variables(), inception_entries(MODULE))
    return reference.inception(IMAGES.astype(np.float64), state)


@pytest.mark.parametrize("index", range(4))
def test_block_equals_numpy(index):
    name = "features" if index == 3 else f"block{index}"
    assert_near(_reading()[name], _expected()[0][index], 2e-5)


def test_logits_have_their_bias():
    bias = np.asarray(_variables()["params"]["fc"]["bias"])
    assert_near(_reading()["logits"], _expected()[1] + bias, 2e-5)


def test_probabilities_leave_the_bias_out():
    scores = np.exp(_expected()[1] - _expected()[1].max(axis=1, keepdims=True))
    assert_near(_reading()["probabilities"], scores / scores.sum(axis=1, keepdims=True), 1e-4)


def test_pictures_of_other_size_are_refused():
    with pytest.raises(ShapeError, match=r"`images` has shape .*required is \(any, 299, 299, 3\)"):
        jax.eval_shape(FidInception().init, jax.random.key(0), np.zeros((1, 256, 256, 3)))


def test_published_network_gives_published_sizes():
    images = jax.ShapeDtypeStruct((2, 299, 299, 3), np.float32)
    outputs, _ = jax.eval_shape(FidInception().init_with_output, jax.random.key(0), images)
    sizes = {name: value.shape[1] for name, value in outputs.items()}
    means = {"block0": 64, "block1": 192, "block2": 768, "features": 2048}
    assert sizes == {**means, "logits": 1008, "probabilities": 1008}


# Pools.


def test_average_does_not_count_padding():
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    corner = np.asarray(average_inside(x))[0, 0, 0, 0]
    assert corner == (0 + 1 + 4 + 5) / 4


def test_maximum_around_is_that_of_negative_pixels_at_a_border():
    x = -1 - np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    np.testing.assert_array_equal(np.asarray(maximum_around(x))[0, 2, :, 0], [-5, -5, -6, -7])


@pytest.mark.parametrize(("size", "halved"), [(147, 73), (71, 35), (35, 17), (8, 3)])
def test_halving_stays_inside_the_map(size, halved):
    x = jax.ShapeDtypeStruct((1, size, size, 1), np.float32)
    assert jax.eval_shape(halving_maximum, x).shape == (1, halved, halved, 1)


# Resizing.


@pytest.mark.parametrize("shape", [(13, 9), (4, 6)])
def test_resizing_equals_interpolation_without_antialiasing(shape):
    images = draw(1, *shape, 3)
    expected = resize_bilinear(images.astype(np.float64), (7, 7))
    assert_near(resize_for_fid(images, 7), expected, 1e-6)


def test_resizing_gives_the_size_of_the_network():
    images = jax.ShapeDtypeStruct((2, 20, 30, 3), np.float32)
    assert jax.eval_shape(resize_for_fid, images).shape == (2, 299, 299, 3)


def test_resizing_keeps_pictures_of_that_size():
    images = draw(1, 7, 7, 3)
    np.testing.assert_array_equal(resize_for_fid(images, 7), images)
