import numpy as np
import pytest

from sfe_jax.evaluation.plots import (
    BOX,
    COLOURS,
    SPACING,
    Point,
    axis_of,
    draw_points,
    plain,
    radius,
    spaced,
)

POINTS = {"e4e": Point(0.2, 60, 0.0), "sfe": Point(0.02, 30, 0.5)}


def test_point_is_drawn_where_its_values_lie():
    picture = draw_points(POINTS, x_label="x", y_label="y")
    x = axis_of([0.2, 0.02], BOX[0], BOX[2]).place(0.02)
    y = axis_of([60, 30], BOX[3], BOX[1]).place(30)
    colour = [int(COLOURS[1][i : i + 2], 16) for i in (1, 3, 5)]
    assert picture[round(y / 2), round(x / 2)].tolist() == colour


def test_axis_has_round_marks():
    np.testing.assert_allclose(axis_of([30, 60], 0, 100).ticks, [0, 20, 40, 60])


def test_axis_has_room_beyond_its_values():
    assert axis_of([30, 60], 0, 100).place(60) < 90


@pytest.mark.parametrize(("first", "last"), [(0, 100), (100, 0)])
def test_places_are_as_far_from_zero_as_their_values(first, last):
    axis = axis_of([0.0147, 0.0170], first, last)
    lengths = [axis.place(value) - axis.place(0) for value in (0.0147, 0.0170)]
    assert lengths[0] / lengths[1] == pytest.approx(0.0147 / 0.0170)
    assert axis.place(0) == first


def test_names_that_would_stand_on_each_other_are_moved_down():
    sides = ["lm", "lm", "lm", "rm"]
    assert spaced([100, 300, 110, 105], sides) == [100, 300, 100 + SPACING, 105]


def test_names_lose_what_the_font_lacks():
    assert plain("Poincaré ± 1") == "Poincare  1"


def test_frechet_distance_is_abbreviated():
    assert plain("Fréchet distance of features") == "FD of features"


def test_area_grows_with_the_time():
    assert radius(1.0, 1.0) == pytest.approx(np.sqrt(2) * radius(0.5, 1.0))


def test_values_of_zero_can_be_drawn():
    assert draw_points({"a": Point(0, 0, 0)}, x_label="x", y_label="y").shape == (560, 800, 3)
