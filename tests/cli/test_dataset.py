"""`sfe dataset`: what it writes, leaves out, refuses and verifies."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from sfe_jax.data.opening import open_source
from tests.cli.running import refused, sfe
from tests.data.pictures import flat, flat_files, noise, png, write_folder, write_zip


def written(tmp_path, *arguments):
    """Runs the command with arguments in front of the archive's name; opens the archive."""
    out = tmp_path / "out" / "set.zip"
    assert sfe("dataset", arguments[0], out, *arguments[1:]) == 0
    return open_source(out)


@pytest.fixture
def folder(tmp_path):
    """Three pictures that are not square, with classes."""
    files = {f"{index}.png": png(noise(32, 48, 3, seed=index)) for index in range(3)}
    return write_folder(tmp_path / "pictures", files, [[f"{i}.png", 2 - i] for i in range(3)])


def test_names_are_those_of_the_original(folder, tmp_path):
    written(tmp_path, folder, "--transform", "center-crop")
    names = zipfile.ZipFile(tmp_path / "out" / "set.zip").namelist()
    assert names == [*(f"00000/img0000000{index}.png" for index in range(3)), "dataset.json"]


def test_members_are_stored_uncompressed(folder, tmp_path):
    written(tmp_path, folder, "--transform", "center-crop")
    members = zipfile.ZipFile(tmp_path / "out" / "set.zip").infolist()
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}


def test_pictures_that_fit_are_kept_to_the_level(tmp_path):
    levels = noise(32, 32, 3)
    source = written(tmp_path, write_folder(tmp_path / "in", {"a.png": png(levels)}))
    np.testing.assert_array_equal(source[0]["image"], levels)


def test_classes_are_kept(folder, tmp_path):
    source = written(tmp_path, folder, "--transform", "center-crop")
    assert [int(source[index]["label"]) for index in range(3)] == [2, 1, 0]


def test_vectors_are_kept(tmp_path):
    files = flat_files(2)
    path = write_zip(tmp_path / "in.zip", files, [["000.png", [0.5, 1.5]], ["001.png", [2, 3]]])
    source = written(tmp_path, path)
    assert [source[index]["label"].tolist() for index in range(2)] == [[0.5, 1.5], [2, 3]]


def test_unlabelled_pictures_have_null_labels(tmp_path):
    written(tmp_path, write_folder(tmp_path / "in", flat_files(2)))
    content = zipfile.ZipFile(tmp_path / "out" / "set.zip").read("dataset.json")
    assert json.loads(content) == {"labels": None}


@pytest.mark.filterwarnings("always")
def test_labels_stay_with_their_pictures_when_one_is_left_out(tmp_path):
    files = {**flat_files(3), "001.png": b""}
    path = write_folder(tmp_path / "in", files, [[name, i] for i, name in enumerate(files)])
    source = written(tmp_path, path)
    shown = [(int(source[i]["image"].max()), int(source[i]["label"])) for i in range(len(source))]
    assert shown == [(0, 0), (2, 2)]


@pytest.mark.filterwarnings("always")
def test_pictures_left_out_are_named_and_counted(tmp_path, capsys):
    written(tmp_path, write_folder(tmp_path / "in", {**flat_files(2), "bad.png": b""}))
    said = capsys.readouterr().err
    assert "bad.png: is empty" in said
    assert "1 pictures left out" in said


def test_strict_refuses_them(tmp_path, capsys):
    path = write_folder(tmp_path / "in", {**flat_files(2), "bad.png": b""})
    out = tmp_path / "set.zip"
    assert "bad.png: is empty" in refused(capsys, "dataset", path, out, "--strict")
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]


def test_a_number_of_pictures_is_taken_from_the_first_on(tmp_path):
    source = written(tmp_path, write_folder(tmp_path / "in", flat_files(5)), "--max-images", 2)
    assert [int(source[index]["image"].max()) for index in range(len(source))] == [0, 1]


@pytest.mark.parametrize("resize_filter", ["box", "lanczos"])
def test_pictures_are_resized_by_the_filter_named(folder, tmp_path, resize_filter):
    options = ("--resolution", 16, "--transform", "center-crop", "--filter", resize_filter)
    source = written(tmp_path, folder, *options)
    square = Image.fromarray(noise(32, 48, 3, seed=0)[:, 8:40])
    expected = square.resize((16, 16), Image.Resampling[resize_filter.upper()])
    np.testing.assert_array_equal(source[0]["image"], np.asarray(expected))


def test_wide_pictures_stand_between_black_bars(folder, tmp_path):
    options = ("--resolution", 32, "--transform", "center-crop-wide")
    image = written(tmp_path, folder, *options)[0]["image"]
    assert (image.shape, image[:4].max(), image[28:].max()) == ((32, 32, 3), 0, 0)
    assert image[4:28].max() > 0


def test_without_a_transform_pictures_are_stretched(folder, tmp_path):
    image = written(tmp_path, folder, "--resolution", 32, "--filter", "box")[0]["image"]
    expected = Image.fromarray(noise(32, 48, 3, seed=0)).resize((32, 32), Image.Resampling.BOX)
    np.testing.assert_array_equal(image, np.asarray(expected))


def test_grey_is_kept_where_asked(tmp_path):
    path = write_folder(tmp_path / "in", {"a.png": png(noise(16, 16))})
    assert written(tmp_path, path, "--channels", 1)[0]["image"].shape == (16, 16, 1)


def test_faces_are_drawn_with_their_attributes_as_labels(tmp_path, monkeypatch):
    def draw(options):
        for index in range(options.count):
            yield {"image": flat(index, options.resolution), "attributes": np.full(12, 0.25)}

    # The real renderer takes seconds to compile.
    monkeypatch.setattr("sfe_jax.data.faces_builder.draw_records", draw)
    source = written(tmp_path, "faces:3", "--resolution", 32)
    assert (len(source), source[2]["image"].shape) == (3, (32, 32, 3))
    assert source[2]["label"].tolist() == [0.25] * 12


def test_seed_draws_other_faces(tmp_path, monkeypatch):
    def draw(options):
        yield {"image": flat(options.seed, options.resolution), "attributes": np.zeros(12)}

    monkeypatch.setattr("sfe_jax.data.faces_builder.draw_records", draw)
    source = written(tmp_path, "faces:1", "--resolution", 32, "--seed", 7)
    assert source[0]["image"].max() == 7


def test_equal_pictures_give_equal_archives(folder, tmp_path):
    for name in ("a.zip", "b.zip"):
        assert sfe("dataset", folder, tmp_path / name, "--transform", "center-crop") == 0
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_archive_that_fails_leaves_the_old_one(folder, tmp_path, capsys):
    (tmp_path / "old.zip").write_bytes(b"old")
    refused(capsys, "dataset", folder, tmp_path / "old.zip")  # The pictures are not square.
    assert (tmp_path / "old.zip").read_bytes() == b"old"


def test_an_interrupted_archive_is_not_there(folder, tmp_path, monkeypatch):
    def interrupted(image):
        raise KeyboardInterrupt

    monkeypatch.setattr("sfe_jax.data.dataset_zips.encode_png", interrupted)
    out = tmp_path / "out"
    assert sfe("dataset", folder, out / "set.zip", "--transform", "center-crop") == 130
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "SRC and DST.zip"),
        (("pictures",), "SRC and DST.zip"),
        (("pictures", "set.tar"), "SRC and DST.zip"),
        (("nowhere", "set.zip"), "nowhere"),
        (("faces:0", "set.zip"), "faces:COUNT"),
        (("faces:many", "set.zip"), "faces:COUNT"),
        (("pictures", "set.zip", "--resolution", 48), "--resolution is 48"),
        (("pictures", "set.zip", "--max-images", 0), "--max-images is 0"),
        (("pictures", "set.zip", "--check", "set.zip"), "--check verifies"),
        (("pictures", "set.zip"), "required is a square"),
    ],
)
def test_unusable_arguments_are_refused(folder, tmp_path, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(tmp_path)
    assert named in refused(capsys, "dataset", *arguments)


def test_pictures_of_two_sizes_are_refused_by_name(tmp_path, capsys):
    files = {"a.png": png(flat(1, 16)), "b.png": png(flat(2, 32))}
    path = write_folder(tmp_path / "in", files)
    message = refused(capsys, "dataset", path, tmp_path / "set.zip")
    assert "b.png: is 32 x 32" in message
    assert "(16, 16, 3)" in message


def test_a_place_that_cannot_be_written_is_named(folder, tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    out = tmp_path / "file" / "set.zip"
    arguments = ("dataset", folder, out, "--transform", "center-crop")
    assert f"{out}: cannot be written" in refused(capsys, *arguments)


# Checking.


def test_check_says_what_a_data_set_holds(folder, tmp_path, capsys):
    written(tmp_path, folder, "--transform", "center-crop")
    assert sfe("dataset", "--check", tmp_path / "out" / "set.zip") == 0
    assert "3 pictures, 32 x 32, 3 channels, labels of size 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "bad",
    [b"", png(noise(16, 16, 3))[:70], png(flat(1, 32)), png(noise(16, 16)), png(noise(16, 17, 3))],
    ids=["empty", "cut", "larger", "grey", "oblong"],
)
def test_check_names_and_counts_pictures_that_cannot_be_used(tmp_path, capsys, bad):
    path = write_zip(tmp_path / "set.zip", {**flat_files(3), "bad.png": bad})
    assert sfe("dataset", "--check", path) == 2
    said = capsys.readouterr().err
    assert f"{path}/bad.png: " in said
    assert said.splitlines()[-1].startswith(f"error: {path}: 1 of 4 pictures cannot be used")


def test_check_refuses_a_file_that_is_no_archive(tmp_path, capsys):
    (tmp_path / "set.zip").write_bytes(b"none")
    assert "set.zip: cannot be read" in refused(capsys, "dataset", "--check", tmp_path / "set.zip")


def test_published_data_set_keeps_its_labels(data_folder, tmp_path):
    path = data_folder / "expressions128.zip"
    if not path.is_file():
        pytest.skip("expressions128.zip is not there")
    options = ("--max-images", 20, "--resolution", 64, "--channels", 1)
    source, original = written(tmp_path, path, *options), open_source(path)
    assert source[0]["image"].shape == (64, 64, 1)
    for index in range(20):
        assert source[index]["label"] == original[index]["label"]
