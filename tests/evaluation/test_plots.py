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


def test_axis_has_round_marks_and_room_for_its_values():
    axis = axis_of([30, 60], 0, 100)
    assert (axis.low, axis.high) == (22.5, 67.5)
    np.testing.assert_allclose(axis.ticks, [30, 40, 50, 60])


def test_axis_of_small_distances_begins_at_zero():
    assert axis_of([0.01, 0.2], 0, 100).low == 0


def test_names_that_would_stand_on_each_other_are_moved_down():
    sides = ["lm", "lm", "lm", "rm"]
    assert spaced([100, 300, 110, 105], sides) == [100, 300, 100 + SPACING, 105]


def test_names_lose_what_the_font_lacks():
    assert plain("Fréchet ± 1") == "Frechet  1"


def test_area_grows_with_the_time():
    assert radius(1.0, 1.0) == pytest.approx(np.sqrt(2) * radius(0.5, 1.0))


def test_values_of_zero_can_be_drawn():
    assert draw_points({"a": Point(0, 0, 0)}, x_label="x", y_label="y").shape == (560, 800, 3)
