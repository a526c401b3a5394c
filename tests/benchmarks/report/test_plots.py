import numpy as np
import pytest

from benchmarks.measuring.rows import Row, Section
from benchmarks.report.plots import LinearAxis, LogAxis, bars, draw, roofline, scaling, spanning

CEILINGS = (
    Row("ceiling, copy", "XLA", {"GB/s": 20.0}),
    Row("ceiling, float32 product", "XLA", {"GFLOP/s": 100.0}),
)


def timed(form, ms, case="blur, 1x8, float32, forward"):
    figures = {"ms": ms, "least ms": ms, "most ms": ms, "GFLOP/s": 10 / ms, "GB/s": 5 / ms}
    return Row(case, form, figures)


SECTION = Section("Operations", "", (*CEILINGS, timed("XLA, ours", 2.0), timed("other", 5.0)))


def colours_of(picture):
    return len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0))


def test_axis_puts_powers_at_equal_distances():
    axis = LogAxis(1.0, 100.0, 0.0, 50.0)
    assert [axis(value) for value in (1.0, 10.0, 100.0)] == pytest.approx([0, 25, 50])


def test_axis_spans_all_values():
    axis = spanning([3.0, 250.0], 0.0, 1.0)
    assert (axis.low, axis.high) == (1.0, 1000.0)


def test_axis_names_its_powers():
    assert list(LogAxis(1.0, 8.0, 0.0, 1.0).ticks(2)) == [1.0, 2.0, 4.0, 8.0]


def test_roofline_is_not_empty():
    assert colours_of(roofline(SECTION, "float32")) > 10


def test_roofline_of_a_type_that_was_not_timed_is_none():
    assert roofline(SECTION, "bfloat16") is None


def test_a_slower_form_is_drawn_to_the_right():
    slow, fast = (
        np.asarray(bars("a", [timed("XLA, ours", 2.0), timed("other", ms)])) for ms in (8.0, 0.5)
    )
    shade = np.array([0x24, 0x71, 0xA3])
    where = [np.argwhere((p[60:] == shade).all(axis=2))[:, 1].mean() for p in (slow, fast)]
    assert where[0] > where[1]


def test_bars_of_one_form_are_none():
    assert bars("a", [timed("XLA, ours", 1.0)]) is None


def test_scaling_is_drawn_from_devices_and_efficiency():
    figures = [{"devices": n, "efficiency": 1 / n} for n in (1, 2, 4)]
    rows = [Row("step", "4 processes", each) for each in figures]
    assert colours_of(scaling(Section("Scaling", "", tuple(rows)))) > 10


def test_scaling_without_efficiency_is_none():
    assert scaling(SECTION) is None


def test_linear_axis_names_its_fifths():
    assert list(LinearAxis(0.0, 0.4, 0.0, 1.0).ticks()) == [0.0, 0.2, 0.4]


def test_a_section_has_the_pictures_of_what_it_measured():
    assert set(draw("operations", SECTION)) == {"operations-roofline-float32", "operations-bars"}
