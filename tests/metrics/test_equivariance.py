import math

import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.equivariance import (
    MaskedError,
    fractional_shift_error,
    masked_error,
    rotation_error,
    whole_shift_error,
)
from tests.metrics.test_turning import pixels, scene

SHIFT = np.array([0.11, -0.07])
ANGLE = 0.7


def follow(transform):
    """A generator that draws the scene wherever its input is moved."""
    return scene(pixels() @ transform[:2, :2].T + transform[:2, 2])


def stay(_):
    """A generator whose details stick to the pixels."""
    return scene(pixels())


ERRORS = {
    "EQ-T": lambda generate: whole_shift_error(generate, stay(None), SHIFT),
    "EQ-T_frac": lambda generate: fractional_shift_error(generate, stay(None), SHIFT),
    "EQ-R": lambda generate: rotation_error(generate, stay(None), ANGLE),
}


@pytest.mark.parametrize(("name", "least"), [("EQ-T", 100), ("EQ-T_frac", 50), ("EQ-R", 50)])
def test_generator_that_follows_its_input_scores_high(name, least):
    assert ERRORS[name](follow).decibels > least


@pytest.mark.parametrize("name", ERRORS)
def test_generator_that_sticks_to_its_pixels_scores_low(name):
    assert ERRORS[name](stay).decibels < 15


def test_ratio_is_that_of_the_range_to_the_root_mean_square():
    """Pictures in [-1, 1] span 2; an error of 0.2 is a tenth: 20 decibels."""
    images = np.zeros((2, 4, 5, 3), np.float32)
    error = masked_error(images, images + np.float32(0.2), np.ones((1, 4, 5, 1), np.float32))
    assert error.count == 120
    assert error.decibels == pytest.approx(20, abs=1e-5)


def test_pixels_outside_the_mask_do_not_count():
    images = np.zeros((1, 4, 4, 1), np.float32)
    target, mask = images.copy(), np.ones_like(images)
    target[0, 0], mask[0, 0] = 9, 0
    target[0, 1] = 1
    assert masked_error(images, target, mask) == MaskedError(4, 12)


def test_error_of_batches_is_that_of_all():
    a, b = MaskedError(1.0, 10.0), MaskedError(3.0, 30.0)
    assert a.merge(b).decibels == pytest.approx(20 * math.log10(2) + 10)


def test_equal_pictures_have_no_noise():
    assert MaskedError(0.0, 5.0).decibels == math.inf


def test_ratio_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="0 pixels"):
        _ = MaskedError(0.0, 0.0).decibels
