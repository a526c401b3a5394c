import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.pairs import squared_error


def test_error_is_the_mean_square_of_each_picture():
    images = np.zeros((2, 3, 4, 1), np.float32)
    target = images + np.array([0.5, 2], np.float32).reshape(2, 1, 1, 1)
    assert squared_error(images, target).tolist() == [0.25, 4]


def test_pictures_of_different_shapes_are_refused():
    with pytest.raises(ShapeError, match="`target` has shape"):
        squared_error(np.zeros((2, 3, 3, 1)), np.zeros((1, 3, 3, 1)))
