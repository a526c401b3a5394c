"""Folders and archives: what is found, labels, and that both are picklable."""

import pickle

import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError, ImageError, OptionError
from sfe_jax.data.faces_builder import FacesOptions
from sfe_jax.data.folders import FolderSource
from sfe_jax.data.opening import open_source
from sfe_jax.data.sources import label_size
from sfe_jax.data.zips import ZipSource
from tests.data.pictures import flat, flat_files, noise, png, write_folder, write_zip

WRITERS = {"folder": write_folder, "zip": write_zip}


@pytest.fixture(params=WRITERS)
def opened(request, tmp_path):
    """Writes files as a folder or as an archive, and opens it."""
    place = tmp_path / {"folder": "pictures", "zip": "pictures.zip"}[request.param]
    return lambda files, labels=None: open_source(WRITERS[request.param](place, files, labels))


def test_source_holds_pictures_of_all_levels_sorted(opened):
    source = opened({"b/1.png": png(flat(1)), "a.png": png(flat(2)), "b/0.PNG": png(flat(3))})
    assert source.names == ["a.png", "b/0.PNG", "b/1.png"]


def test_source_leaves_out_hidden_and_other_files(opened):
    files = {"a.png": png(flat(1)), ".b.png": b"", "__MACOSX/._a.png": b"", "read.me": b""}
    assert opened(files).names == ["a.png"]


def test_source_gives_the_picture(opened):
    levels = noise(17, 19, 3)
    np.testing.assert_array_equal(opened({"a.png": png(levels)})[0]["image"], levels)


def test_source_names_the_file(opened):
    source = opened({"a/b.png": png(flat(1))})
    assert source.name(0).endswith("/a/b.png")


def test_source_without_labels_has_none(opened):
    source = opened(flat_files(2))
    assert (label_size(source), "label" in source[0]) == (0, False)


def test_null_labels_are_none(tmp_path):
    (tmp_path / "dataset.json").write_text('{"labels": null}')
    assert label_size(FolderSource(write_folder(tmp_path, flat_files(2)))) == 0


def test_classes_are_counted_from_the_largest(opened):
    source = opened(flat_files(3), [["002.png", 4], ["000.png", 0], ["001.png", 2]])
    assert (label_size(source), [int(source[i]["label"]) for i in range(3)]) == (5, [0, 2, 4])


def test_vectors_are_kept(opened):
    source = opened(flat_files(2), [["000.png", [0.5, 1, 2]], ["001.png", [3, 4, 5]]])
    assert label_size(source) == 3
    np.testing.assert_array_equal(source[0]["label"], np.array([0.5, 1, 2], np.float32))


def test_labels_of_other_pictures_are_left_out(opened):
    assert label_size(opened(flat_files(1), [["000.png", 1], ["gone.png", 9]])) == 2


@pytest.mark.parametrize(
    "labels",
    [
        [["000.png", 1]],
        [["000.png", 1], ["001.png", [1.0]]],
        [["000.png", [1.0]], ["001.png", [1.0, 2.0]]],
        [["000.png", -1], ["001.png", 0]],
        [["000.png", 2**40], ["001.png", 0]],
        [["000.png", True], ["001.png", 0]],
        [["000.png", "cat"], ["001.png", 0]],
        [["000.png", []], ["001.png", []]],
        [["000.png", [float("nan")]], ["001.png", [1.0]]],
        [["000.png", [10**400]], ["001.png", [1.0]]],
        ["000.png", "001.png"],
        5,
    ],
    ids=[
        "missing",
        "mixed",
        "lengths",
        "negative",
        "huge",
        "truth",
        "text",
        "empty",
        "nan",
        "overflow",
        "names",
        "number",
    ],
)
def test_unusable_labels_are_refused(opened, labels):
    with pytest.raises(FileFormatError, match=r"dataset\.json"):
        opened(flat_files(2), labels)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_broken_json_is_refused(opened, content):
    with pytest.raises(FileFormatError, match=r"dataset\.json: is (no JSON|not a list of labels)"):
        opened({**flat_files(1), "dataset.json": content})


def test_pickled_source_reads_the_same(opened):
    source = opened(flat_files(3), [[name, i] for i, name in enumerate(flat_files(3))])
    copy = pickle.loads(pickle.dumps(source))
    for index in range(3):
        np.testing.assert_array_equal(copy[index]["image"], source[index]["image"])
        assert copy[index]["label"] == source[index]["label"]


def test_index_beyond_the_end_is_refused(opened):
    with pytest.raises(IndexError):
        opened(flat_files(1))[1]


@pytest.mark.parametrize("content", [b"", b"none", png(flat(1))[:60]], ids=["empty", "text", "cut"])
def test_broken_picture_is_named(opened, content):
    source = opened({"000.png": png(flat(1)), "bad.png": content})
    with pytest.raises(ImageError, match=r"/bad\.png: "):
        source[1]


def test_file_that_went_away_is_named(tmp_path):
    source = FolderSource(write_folder(tmp_path, flat_files(2)))
    (tmp_path / "001.png").unlink()
    with pytest.raises(ImageError, match=r"001\.png: cannot be opened"):
        source[1]


def test_file_too_large_is_refused(tmp_path):
    source = FolderSource(write_folder(tmp_path, flat_files(1)))
    with (tmp_path / "000.png").open("r+b") as file:
        file.truncate(500_000_000)  # Sparse: it takes no space.
    with pytest.raises(ImageError, match=r"000\.png: has 500000000 bytes"):
        source[0]


@pytest.mark.parametrize("spec", ["tfds:", "tfds:mnist", "tfds::train", "tfds:mnist:", "gone", ""])
def test_unusable_specification_is_refused(spec):
    with pytest.raises(OptionError, match=f"source {spec!r}"):
        open_source(spec)


def test_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"")
    with pytest.raises(OptionError, match="is a file of another kind"):
        open_source(tmp_path / "a.tar")


def test_options_of_faces_are_refused_for_other_sources(tmp_path):
    with pytest.raises(OptionError, match='`faces` is for the source "faces"'):
        open_source(write_folder(tmp_path, flat_files(1)), faces=FacesOptions())


@pytest.mark.parametrize("kind", [FolderSource, ZipSource])
def test_place_without_pictures_is_refused(kind, tmp_path):
    path = tmp_path if kind is FolderSource else write_zip(tmp_path / "a.zip", {"a.txt": b"a"})
    with pytest.raises((ImageError, FileFormatError), match="holds no picture"):
        kind(path)
