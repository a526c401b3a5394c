"""Regions and their enlargement."""

import numpy as np
import pytest

from sfe_jax.characters.cropping import box_of_shares, cut, square_about


def test_shares_are_of_width_and_height():
    assert box_of_shares((0.25, 0.5, 0.75, 1), width=8, height=4) == (2, 2, 6, 4)


@pytest.mark.parametrize(
    ("box", "margin", "square"),
    [
        ((10, 10, 14, 18), 0, (8, 10, 16, 18)),
        ((10, 10, 14, 14), 0.5, (8, 8, 16, 16)),
        ((0, 4, 4, 12), 0, (0, 4, 8, 12)),
        ((16, 20, 20, 28), 0, (12, 20, 20, 28)),
        ((2, 2, 18, 28), 1, (0, 5, 20, 25)),
    ],
    ids=["longer side", "margin", "moved right", "moved left", "as large as fits"],
)
def test_square_about_a_box_stays_in_the_picture(box, margin, square):
    assert square_about(box, margin=margin, width=20, height=30) == square


def test_nearest_enlargement_repeats_the_pixels_of_the_region():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    found = cut(image, (1, 1, 3, 3), side=4, filter_name="nearest")
    np.testing.assert_array_equal(found, image[1:3, 1:3].repeat(2, axis=0).repeat(2, axis=1))


def test_box_filter_averages_a_region_that_shrinks():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = 80
    assert cut(image, (0, 0, 4, 4), side=1, filter_name="box").tolist() == [[[20, 20, 20]]]
