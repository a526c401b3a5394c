"""Folders of TFDS: found by name, opened without importing what they name."""

import json
import sys

import pytest

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.data.tfds_folders import find_folder, open_folder

DICT = "tensorflow_datasets.core.features.features_dict.FeaturesDict"
HOSTILE = {"a": {"type": "hostile.X", "content": {}}}
FIELDS = {"features": {"a": {"pythonClassName": "hostile.X"}}}


def write(folder, features, *, name="features.json"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(features))
    return folder


@pytest.mark.parametrize(
    "features",
    [
        {"pythonClassName": "hostile.X"},
        {"python_class_name": DICT, "featuresDict": FIELDS},
        {"pythonClassName": DICT, "jsonFeature": {"json": json.dumps(HOSTILE)}},
        {"type": DICT, "content": HOSTILE},
        {"type": DICT, "proto_cls": "tensorflow_datasets.Dict", "content": json.dumps(FIELDS)},
    ],
    ids=["itself", "nested", "JSON in JSON", "old form", "old form in JSON"],
)
@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
def test_class_that_is_not_of_tfds_is_not_imported(tmp_path, monkeypatch, features, name):
    (tmp_path / "hostile.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "1.0.0", {"name": "sample", "version": "1.0.0"}, name="dataset_info.json")
    content = features if name == "features.json" else {"features": features}
    write(tmp_path / "1.0.0", content, name=name)
    with pytest.raises(FileFormatError, match=rf"{name}: names the Python class 'hostile\.X'"):
        open_folder(tmp_path / "1.0.0")
    assert "hostile" not in sys.modules


def test_home_in_a_path_is_checked_as_it_is_opened(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "1.0.0", {"pythonClassName": "hostile.X"})
    with pytest.raises(FileFormatError, match="names the Python class"):
        open_folder("~/1.0.0")


@pytest.mark.parametrize("content", ["{", "[" * 100_000, '{"version": "x"}', '{"features": 5}'])
def test_damaged_description_is_named_in_one_line(tmp_path, content):
    write(tmp_path, {"pythonClassName": DICT, "featuresDict": {}})
    (tmp_path / "dataset_info.json").write_text(content)
    with pytest.raises(FileFormatError, match=r"^[^\n]*is no (JSON|data set of TFDS) \([^\n]*$"):
        open_folder(tmp_path)


def test_newest_version_is_found(tmp_path):
    for version in ("9.0.0", "10.0.0", "10.0.0.incompleteABC"):
        write(tmp_path / "set" / version, {})
    assert find_folder("set", data_dir=tmp_path).name == "10.0.0"


def test_only_configuration_is_found_by_the_name_alone(tmp_path):
    folder = write(tmp_path / "set" / "small" / "1.0.0", {})
    assert find_folder("set", data_dir=tmp_path) == folder
    assert find_folder("set/small", data_dir=tmp_path) == folder


def test_configuration_must_be_named_where_there_are_several(tmp_path):
    for config in ("small", "large"):
        write(tmp_path / "set" / config / "1.0.0", {})
    with pytest.raises(OptionError, match="prepared as large, small; name one: tfds:set/CONFIG"):
        find_folder("set", data_dir=tmp_path)
