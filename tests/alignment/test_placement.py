import numpy as np
import pytest

from sfe_jax.alignment.placement import Placement, apply

TURNED = Placement(np.array([[1.5, -2.0, 7.0], [2.0, 1.5, -3.0]]), 8)


def test_inverse_leads_back():
    places = np.random.default_rng(0).uniform(-5, 20, (6, 2))
    there = apply(TURNED.to_photo, places)
    np.testing.assert_allclose(apply(TURNED.to_aligned, there), places)


def test_scale_is_that_of_a_side():
    assert TURNED.scale == pytest.approx(2.5)


def test_corners_are_top_left_bottom_left_bottom_right_top_right():
    np.testing.assert_allclose(TURNED.corners, [[7, -3], [-9, 9], [3, 25], [19, 13]])
