import json
import pathlib
from dataclasses import dataclass

import pytest

from benchmarks.measuring.pages import page_path, print_page, write_page, write_whole
from benchmarks.measuring.timing import Spread
from sfe_jax.core.errors import OptionError


@dataclass(frozen=True)
class Measured:
    """A figure that holds another."""

    name: str
    times_s: Spread


def test_a_page_ends_in_md():
    assert page_path("deep/PAGE.md") == pathlib.Path("deep/PAGE.md")


@pytest.mark.parametrize("name", ["page.json", "page", "page.md/figures"])
def test_another_name_is_refused_with_what_is_required(name):
    with pytest.raises(OptionError, match=f"--out is {name}; required is a name ending in .md"):
        page_path(name)


def test_page_and_figures_lie_side_by_side(tmp_path):
    write_page(tmp_path / "deep" / "PAGE.md", "# Page\n", {"device": "cpu"})
    assert (tmp_path / "deep" / "PAGE.md").read_text() == "# Page\n"
    assert json.loads((tmp_path / "deep" / "PAGE.json").read_text()) == {"device": "cpu"}


def test_dataclasses_are_written_with_what_they_hold(tmp_path):
    write_page(tmp_path / "a.md", "", {"rows": [Measured("edit", Spread(2.0, 1.0, 3.0))]})
    (row,) = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert row == {"name": "edit", "times_s": {"median": 2.0, "least": 1.0, "most": 3.0}}


def test_what_json_cannot_hold_is_refused_by_its_type(tmp_path):
    with pytest.raises(TypeError, match="complex is not written"):
        write_page(tmp_path / "a.md", "", {"rows": [1j]})


def test_page_stays_as_it_was_where_the_disk_is_full(tmp_path):
    write_page(tmp_path / "a.md", "before", {})

    def run_full(partial):
        partial.write_text("af")
        raise OSError(28, "No space left on device")

    with pytest.raises(OptionError, match=r"a\.md: cannot be written \(No space left on device\)"):
        write_whole(tmp_path / "a.md", run_full)
    assert (tmp_path / "a.md").read_text() == "before"


def test_a_wrong_option_is_one_line_and_status_2(capsys):
    with pytest.raises(SystemExit) as end:
        print_page(lambda: str(page_path("page.json")))
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: --out is page.json;")
