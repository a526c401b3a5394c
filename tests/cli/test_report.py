"""Reports that runs of the same folder share."""

import json
import pathlib

import pytest

from sfe_jax.cli.report import Report, find_results
from sfe_jax.core.errors import FileFormatError, OptionError

FIRST, SECOND = pathlib.Path("a/face.png"), pathlib.Path("b/face.png")


OUTSIDE = '[{"image": "a.png", "name": "../a"}]'


def record(image, name, **facts):
    return {"image": str(image), "name": name, **facts}


@pytest.fixture
def path(tmp_path):
    """A report that a first run has left."""
    path = tmp_path / "edits.json"
    Report(path, [FIRST]).add([record(FIRST, "face", run=1)])
    return path


def test_pictures_of_one_name_have_folders_of_their_own(tmp_path):
    folders = Report(tmp_path / "edits.json", [FIRST, SECOND]).folders
    assert folders == [tmp_path / "face", tmp_path / "face-2"]


def test_another_picture_of_the_same_name_has_another_folder_in_a_later_run(path):
    assert Report(path, [SECOND]).names == ["face-2"]


def test_commands_that_write_to_one_folder_share_its_names(path):
    assert Report(path.with_name("tunings.json"), [SECOND, FIRST]).names == ["face-2", "face"]


def test_a_picture_keeps_its_folder_in_a_later_run(path):
    assert Report(path, [SECOND, FIRST]).names == ["face-2", "face"]


def test_results_of_a_picture_are_found_by_its_report(path):
    Report(path, [SECOND]).add([record(SECOND, "face-2")])
    found = find_results(path.parent, [SECOND, FIRST])
    assert found == [path.parent / "face-2", path.parent / "face"]


def test_results_that_no_report_names_are_those_of_the_pictures_name(tmp_path):
    assert find_results(tmp_path, [FIRST]) == [tmp_path / "face"]


def test_records_of_other_pictures_are_kept(path):
    Report(path, [SECOND]).add([record(SECOND, "face-2")])
    expected = [record(FIRST, "face", run=1), record(SECOND, "face-2")]
    assert json.loads(path.read_text()) == expected


def test_records_of_the_same_picture_are_replaced(path):
    Report(path, [FIRST]).add([record(FIRST, "face", run=2)])
    assert json.loads(path.read_text()) == [record(FIRST, "face", run=2)]


@pytest.mark.parametrize(
    "text", ["{", "3", "{}", '[{"image": "a.png"}]', '[["image", "name"]]', OUTSIDE]
)
def test_a_file_that_is_no_report_is_refused(tmp_path, text):
    path = tmp_path / "edits.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"edits\.json: is no "):
        Report(path, [FIRST])


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OptionError, match=r"edits\.json: cannot be written, because of .*out;"):
        Report(tmp_path / "out" / "edits.json", [FIRST])
