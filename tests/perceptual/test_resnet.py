from functools import cache

import numpy as np
import pytest

from convert_weights.assemble import export_state
from convert_weights.name_maps.moco import resnet_entries
from sfe_jax.core.errors import ShapeError
from sfe_jax.perceptual.resnet import MocoResNet
from tests.compiling import jit
from tests.nn.drawing import assert_near, draw, variables_of
from tests.reference import networks as reference

DEPTHS = (1, 2, 1, 1)
MODULE = MocoResNet(DEPTHS, widths=(2, 3, 4, 5), input_size=32)
IMAGES = draw(2, 32, 32, 3)


@cache
def _variables():
    return variables_of(MODULE, IMAGES)


@cache
def _program():
    return jit(MODULE.apply)


def embed(images):
    return np.asarray(_program()(_variables(), images))


def test_embedding_equals_numpy():
    state = export_state(_variables(), resnet_entries(MODULE))
    mean = reference.resnet(IMAGES.astype(np.float64), state, DEPTHS)
    assert_near(embed(IMAGES), mean / np.linalg.norm(mean, axis=1, keepdims=True))


def test_embedding_has_unit_length():
    np.testing.assert_allclose(np.linalg.norm(embed(IMAGES), axis=1), 1, rtol=1e-6)


def test_larger_pictures_are_read_at_their_nearest_pixels():
    """The first pixel of each 2x3 cell counts, by PyTorch's rule."""
    larger = np.zeros((2, 64, 96, 3), np.float32)
    larger[:, ::2, ::3] = IMAGES
    np.testing.assert_allclose(embed(larger), embed(IMAGES), rtol=1e-6)


def test_pictures_without_colours_are_refused():
    with pytest.raises(ShapeError, match=r"`images` has shape .*required is \(any, any, any, 3\)"):
        embed(np.zeros((1, 32, 32, 1), np.float32))
