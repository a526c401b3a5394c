import numpy as np
import pytest
import scipy.stats

from sfe_jax.alignment.cropping import align_face, blur, cut_quad
from sfe_jax.alignment.placement import apply
from sfe_jax.alignment.quads import quad_of_points
from sfe_jax.core.errors import ImageError, ShapeError
from tests.alignment.pictures import noise, points_in, slopes, slopes_at
from tests.reference import alignment as reference


def square(left, top, side):
    """The quad of whole pixels from (left, top), which counts from pixel centres."""
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) * side
    return corners + np.array([left, top]) - 0.5


# Sampling.


def test_square_of_whole_pixels_is_copied():
    photo = noise(90, 100)
    face = cut_quad(photo, square(20, 13, 48), size=48)
    np.testing.assert_array_equal(face.image, photo[13:61, 20:68])


def test_turned_face_equals_numpy():
    """But for a level, where sums are rounded on both sides of a whole number."""
    photo = noise(160, 170)
    points = points_in((50, 30), side=70, angle=0.3)
    expected = reference.sample(photo, quad_of_points(points), 64).astype(int)
    assert np.abs(align_face(photo, points, size=64).image - expected).max() <= 1


def test_points_of_the_square_are_those_of_the_picture():
    points = points_in((12, 9), side=64)
    np.testing.assert_allclose(quad_of_points(points), square(12, 9, 64), atol=1e-9)


# Shrinking.


def test_face_much_finer_than_the_result_is_shrunk_first():
    """A fine checkerboard becomes grey; bilinear samples alone would keep its levels."""
    photo = np.repeat((np.indices((256, 256)).sum(0) % 2 * 255)[..., None], 3, axis=2)
    face = align_face(photo.astype(np.uint8), points_in((30, 20), side=192), size=32)
    assert np.abs(face.image.astype(int) - 127).max() <= 4


def test_face_four_times_as_fine_as_the_result_is_not_shrunk():
    photo = noise(150, 150)
    points = points_in((10, 10), side=127)
    expected = reference.sample(photo, quad_of_points(points), 32).astype(int)
    assert np.abs(align_face(photo, points, size=32).image - expected).max() <= 1


# Padding.


def test_padding_equals_numpy():
    """The square leaves the picture on the left by 20 of 50 pixels; its border is 5."""
    photo = noise(70, 80)
    face = cut_quad(photo, square(-20, 12, 50), size=50)
    cropped = photo[12 - 6 : 62 + 5, : 30 + 5]  # The square reaches half a pixel over its centres.
    padding = (20 + 6, 15, 15, 15)
    expected = reference.pad(cropped, padding, 50.0)
    expected = expected[padding[1] + 6 :, padding[0] - 20 :][:50, :50].astype(int)
    assert np.abs(face.image - expected).max() <= 1


def test_square_that_stays_inside_is_not_padded():
    photo = noise(70, 80)
    face = cut_quad(photo, square(1, 1, 50), size=50)
    np.testing.assert_array_equal(face.image[10:40, 10:40], photo[11:41, 11:41])


@pytest.mark.parametrize("sigma", [3.0, 16.0, 21.3, 50.0])
def test_blur_of_an_edge_is_that_of_a_gaussian(sigma):
    """Far from the borders, where an edge becomes the normal distribution."""
    edge = np.zeros((20, 601), np.float32)
    edge[:, 301:] = 255
    expected = 255 * scipy.stats.norm.cdf((np.arange(601) - 300.5) / sigma)
    inside = slice(250, 351)
    np.testing.assert_allclose(blur(edge, sigma)[10, inside], expected[inside], atol=0.5)


# The placement.

CASES = {
    "plain": (points_in((60, 40), side=90, angle=-0.4), 64),
    "shrunk": (points_in((40, 20), side=160, angle=0.1), 32),
    "padded": (points_in((-20, 60), side=110, angle=0.2), 64),
    "shrunk and padded": (points_in((70, 90), side=170, angle=0.1), 32),
}


@pytest.mark.parametrize(("points", "size"), CASES.values(), ids=CASES)
def test_placement_says_where_every_pixel_was(points, size):
    """The photograph is a slope, so its levels tell the place; near its borders it is blurred.

    Samples are truncated, which takes half a level on average.
    """
    photo = slopes(200, 230)
    face = align_face(photo, points, size=size)
    u, v = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    places = apply(face.placement.to_photo, np.stack([u, v], axis=-1))
    inside = ((places > 55) & (places < np.array([230, 200]) - 55)).all(axis=-1)
    assert inside.sum() > 40
    error = (face.image[..., :2] - slopes_at(places))[inside]
    np.testing.assert_allclose(error.mean(axis=0), -0.5, atol=0.2)
    assert np.abs(error).max() <= 2


def test_corners_of_the_placement_are_the_quad():
    points = points_in((60, 40), side=90, angle=-0.4)
    corners = align_face(noise(200, 230), points, size=64).placement.corners
    np.testing.assert_allclose(corners, quad_of_points(points) + 0.5)


# Refusals.


@pytest.mark.parametrize("corner", [(200, 10), (10, -80), (-70, 10)])
def test_face_outside_the_photograph_is_refused(corner):
    points = points_in(corner, side=60)
    with pytest.raises(ImageError, match=r"me\.jpg: is 100 x 90, and the face would lie about"):
        align_face(noise(90, 100), points, size=64, name="me.jpg")


def test_face_far_larger_than_the_photograph_is_refused():
    with pytest.raises(ImageError, match="500 pixels a side"):
        align_face(noise(90, 100), points_in((-200, -200), side=500), size=64)


def test_photograph_whose_points_are_wrong_is_named():
    with pytest.raises(ImageError, match=r"me\.jpg: points of the eyes .* lie on each other"):
        align_face(noise(90, 100), np.full((5, 2), 40.0), size=64, name="me.jpg")


def test_photograph_of_another_type_is_refused():
    with pytest.raises(ImageError, match="type float64"):
        align_face(np.zeros((90, 100, 3)), points_in((10, 10), side=60), size=64)


def test_photograph_without_colours_is_refused():
    with pytest.raises(ShapeError, match="`photo` has shape"):
        align_face(np.zeros((90, 100), np.uint8), points_in((10, 10), side=60), size=64)
