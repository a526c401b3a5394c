import numpy as np
import pytest

from sfe_jax.alignment.quads import quad_of_points, quad_side
from sfe_jax.core.errors import ImageError, ShapeError
from tests.alignment.pictures import points_in
from tests.reference import alignment as reference

UPRIGHT = np.array([[40, 50], [60, 50], [50, 62], [43, 72], [57, 72]], np.float64)
"""Eyes 20 apart, the mouth 22 below them."""


def drawn(seed):
    """Points of a face, displaced by a few pixels."""
    return UPRIGHT + np.random.default_rng(seed).normal(0, 4, (5, 2))


@pytest.mark.parametrize("seed", range(5))
def test_quad_is_a_square(seed):
    sides = np.diff(quad_of_points(drawn(seed)), axis=0, append=quad_of_points(drawn(seed))[:1])
    lengths = np.linalg.norm(sides, axis=1)
    np.testing.assert_allclose(lengths, lengths[0])
    np.testing.assert_allclose(np.sum(sides * np.roll(sides, 1, axis=0), axis=1), 0, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_quad_equals_numpy(seed):
    points = drawn(seed)
    np.testing.assert_allclose(quad_of_points(points), reference.quad(points[:2], points[3:]))


def test_quad_of_an_upright_face_is_in_closed_form():
    """Half a side is max(2 x 20, 1.8 x 22) = 40; the centre is a tenth of the way to the mouth."""
    corners = [[10, 12.2], [10, 92.2], [90, 92.2], [90, 12.2]]
    np.testing.assert_allclose(quad_of_points(UPRIGHT), corners)


def test_side_is_that_of_the_square():
    assert quad_side(quad_of_points(UPRIGHT)) == pytest.approx(80)


def test_quad_turns_and_grows_with_the_face():
    matrix, shift = np.array([[1.2, -0.9], [0.9, 1.2]]), np.array([30, -7])
    expected = quad_of_points(UPRIGHT) @ matrix.T + shift
    np.testing.assert_allclose(quad_of_points(UPRIGHT @ matrix.T + shift), expected)


def test_nose_does_not_count():
    moved = UPRIGHT.copy()
    moved[2] += 30
    np.testing.assert_array_equal(quad_of_points(moved), quad_of_points(UPRIGHT))


def all_points():
    """68 points with the eyes and mouth of `UPRIGHT`; all others lie far away."""
    points = np.full((68, 2), 1e4)
    around = np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], axis=1)
    points[36:42], points[42:48] = UPRIGHT[0] + 3 * around, UPRIGHT[1] + 3 * around
    points[48], points[54] = UPRIGHT[3], UPRIGHT[4]
    return points


def test_68_points_give_the_quad_of_their_eyes_and_mouth():
    np.testing.assert_allclose(quad_of_points(all_points()), quad_of_points(UPRIGHT))


@pytest.mark.parametrize("shape", [(4, 2), (5, 3), (136,), (67, 2)])
def test_other_numbers_of_points_are_refused(shape):
    with pytest.raises(ShapeError, match=r"`points` has shape .*; required is \(5, 2\) or"):
        quad_of_points(np.zeros(shape))


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((68, 2), 7)])
def test_points_on_each_other_are_refused(points):
    with pytest.raises(ImageError, match="lie on each other"):
        quad_of_points(points)


@pytest.mark.parametrize("factor", [np.nan, np.inf, 1e200])
def test_points_that_no_photograph_has_are_refused(factor):
    with pytest.raises(ImageError, match="not finite, or of 1000000 and more"):
        quad_of_points(UPRIGHT * factor)


@pytest.mark.parametrize("turns", range(4))
def test_points_of_which_right_comes_before_left_are_refused(turns):
    matrix = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), turns)
    with pytest.raises(ImageError, match="required is left before right"):
        quad_of_points(UPRIGHT[[1, 0, 2, 4, 3]] @ matrix.T)


def test_exchanged_sides_of_a_face_as_wide_as_high_are_refused_as_such():
    with pytest.raises(ImageError, match="mirrored face"):
        quad_of_points(points_in((30, 20), side=90, angle=0.3)[[1, 0, 2, 4, 3]])


@pytest.mark.parametrize("points", [UPRIGHT, all_points()], ids=["5", "68"])
def test_points_of_which_y_comes_before_x_are_refused(points):
    with pytest.raises(ImageError, match="and x before y"):
        quad_of_points(points[:, ::-1])
