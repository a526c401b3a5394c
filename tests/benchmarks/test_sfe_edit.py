import pytest

from benchmarks.measuring.timing import Timing
from benchmarks.sfe_edit import page, parse
from sfe_jax.core.errors import OptionError

TIMES = {"compile_s": 1.0, "cached_s": 1.0, "median_s": 2.0, "least_s": 1.0, "most_s": 3.0}
TOP, EDIT = Timing("product", gflop=10.0, **TIMES), Timing("edit", gflop=40.0, **TIMES)


def test_page_states_the_floor_by_the_fastest_product():
    last = page([TOP], [EDIT]).splitlines()[-1]
    assert "that is 4.00 s; it took 2.00 s (0.50 times the floor)" in last


def test_page_has_a_line_for_every_part():
    cells = [line.split(" | ") for line in page([TOP], [EDIT]).splitlines() if "|" in line]
    assert [row[0] for row in cells[2:]] == ["| product", "| edit"]
    assert {len(row) for row in cells if row[0] != "| ---"} == {8}


def test_name_that_is_no_page_is_refused():
    with pytest.raises(OptionError, match=r"required is a name ending in \.md"):
        parse(["-o", "edit.json"])
