import json
import math

import numpy as np
import pytest
from PIL import Image

from sfe_jax.alignment.cropping import align_face
from sfe_jax.alignment.placement import apply
from sfe_jax.alignment.quads import quad_of_points
from tests.cli.photographs import OTHER, POINTS, grey, photograph, points_file, stand_in
from tests.cli.running import pixels, refused, sfe

# With points.


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """A folder in which the face of `me.png` was aligned by its points."""
    folder = tmp_path_factory.mktemp("aligned")
    photo, points = photograph(folder / "me.png"), points_file(folder / "points.json")
    assert sfe("align", photo, "--points", points, "--size", 64, "-o", folder / "out") == 0
    return folder


@pytest.fixture(scope="module")
def record(aligned):
    (record,) = json.loads((aligned / "out" / "align.json").read_text())
    return record


def test_aligned_picture_is_that_of_the_library(aligned):
    expected = align_face(pixels(aligned / "me.png"), POINTS, size=64).image
    np.testing.assert_array_equal(pixels(aligned / "out" / "me.png"), expected)


def test_record_names_photograph_and_result(aligned, record):
    assert record["image"] == str(aligned / "me.png")
    assert (record["file"], record["size"]) == ("me.png", 64)


def test_record_has_points_and_quad(record):
    np.testing.assert_allclose(record["points"], POINTS)
    np.testing.assert_allclose(record["quad"], quad_of_points(POINTS))


def test_transform_of_the_record_leads_to_the_quad(record):
    corners = np.array([[0, 0], [0, 64], [64, 64], [64, 0]])
    places = apply(np.array(record["transform"]), corners)
    np.testing.assert_allclose(places, quad_of_points(POINTS) + 0.5)


def test_68_points_in_a_numpy_file_will_do(aligned, tmp_path):
    points = np.full((68, 2), 5.0)
    points[36:42], points[42:48] = POINTS[0], POINTS[1]
    points[48], points[54] = POINTS[3], POINTS[4]
    np.save(tmp_path / "points.npy", points)
    options = ("--points", tmp_path / "points.npy", "--size", 64, "-o", tmp_path)
    assert sfe("align", aligned / "me.png", *options) == 0
    found = pixels(tmp_path / "me.png").astype(int)  # The file is read as float32.
    assert np.abs(found - pixels(aligned / "out" / "me.png")).max() <= 1


def test_points_are_those_of_the_upright_picture(aligned, tmp_path):
    """A photograph on its side, which EXIF turns: a quarter clockwise, as number 6 says."""
    exif = Image.Exif()
    exif[274] = 6
    turned = np.rot90(pixels(aligned / "me.png"))
    Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / "side.png", exif=exif)
    options = ("--points", aligned / "points.json", "--size", 64, "-o", tmp_path / "out")
    assert sfe("align", tmp_path / "side.png", *options) == 0
    found = pixels(tmp_path / "out" / "side.png")
    np.testing.assert_array_equal(found, pixels(aligned / "out" / "me.png"))


# With networks, whose place two drawn faces take.


@pytest.fixture
def bundle(monkeypatch, generator_weights):
    """A bundle in whose networks `faces_of` stands."""
    stand_in(monkeypatch)
    return generator_weights


def test_photographs_without_a_face_are_named_and_skipped(bundle, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_text("not a picture")
    photos = [tmp_path / "bad.jpg", photograph(tmp_path / "me.png"), grey(tmp_path / "wall.png")]
    assert sfe("align", *photos, "-w", bundle, "--size", 32, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert f"skipped {tmp_path / 'wall.png'}: no face is found" in said
    assert f"skipped {tmp_path / 'bad.jpg'}: is not a picture" in said
    assert f"faces in {tmp_path / 'out'}: 1; photographs skipped: 2 of 3" in said


def test_status_is_1_when_no_photograph_has_a_face(bundle, tmp_path):
    assert sfe("align", grey(tmp_path / "wall.png"), "-w", bundle, "-o", tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()


def test_the_largest_of_several_faces_is_taken_and_said(bundle, tmp_path, capsys):
    photo, out = photograph(tmp_path / "me.png"), tmp_path / "out"
    assert sfe("align", photo, "-w", bundle, "--size", 32, "-o", out) == 0
    assert {path.name for path in out.iterdir()} == {"me.png", "align.json"}
    assert f"{photo}: 2 faces, the largest is taken" in capsys.readouterr().err


def test_all_faces_are_written_when_asked(bundle, tmp_path):
    photo, out = photograph(tmp_path / "me.png"), tmp_path / "out"
    assert sfe("align", photo, "-w", bundle, "--all-faces", "--size", 32, "-o", out) == 0
    records = json.loads((out / "align.json").read_text())
    assert [record["file"] for record in records] == ["me.png", "me face 2.png"]
    expected = align_face(pixels(photo), OTHER, size=32).image
    np.testing.assert_array_equal(pixels(out / "me face 2.png"), expected)


def test_faces_of_two_photographs_never_share_a_file(bundle, tmp_path):
    photos = [photograph(tmp_path / name, seed=len(name)) for name in ("me.png", "me face 2.png")]
    options = ("-w", bundle, "--all-faces", "--size", 32, "-o", tmp_path / "out")
    assert sfe("align", *photos, *options) == 0
    records = json.loads((tmp_path / "out" / "align.json").read_text())
    files = [record["file"] for record in records]
    assert files == ["me.png", "me face 2-2.png", "me face 2.png", "me face 2 face 2.png"]


def test_record_of_a_found_face_has_box_and_score(bundle, tmp_path):
    photo, out = photograph(tmp_path / "me.png"), tmp_path / "out"
    assert sfe("align", photo, "-w", bundle, "--size", 32, "-o", out) == 0
    (record,) = json.loads((out / "align.json").read_text())
    assert (record["box"], record["score"]) == ([40, 20, 100, 90], 0.99)


# Refusals.


@pytest.mark.parametrize("as_link", [False, True])
def test_photograph_is_never_replaced_by_its_face(capsys, tmp_path, as_link):
    photo, points = photograph(tmp_path / "me.png"), points_file(tmp_path / "points.json")
    before, out = photo.read_bytes(), tmp_path
    if as_link:
        out = tmp_path / "link"
        out.symlink_to(tmp_path)
    options = ("--points", points, "--size", 64, "-o", out)
    message = refused(capsys, "align", photo, *options)
    assert f"{out / 'me.png'}: is one of the photographs; choose another --out" in message
    assert photo.read_bytes() == before


def test_folder_that_cannot_be_written_is_refused_before_the_work(bundle, capsys, tmp_path):
    photos = [photograph(tmp_path / "a.png"), photograph(tmp_path / "b.png")]
    (tmp_path / "out").write_text("a file")
    status = sfe("align", *photos, "-w", bundle, "--size", 32, "-o", tmp_path / "out")
    said = capsys.readouterr().err
    assert status == 2
    assert f"error: {tmp_path / 'out' / 'align.json'}: cannot be written" in said
    assert "aligning" not in said


def test_report_that_cannot_be_written_is_refused(capsys, tmp_path):
    photo, points = photograph(tmp_path / "me.png"), points_file(tmp_path / "points.json")
    report = tmp_path / "out" / "align.json"
    report.mkdir(parents=True)
    options = ("--points", points, "--size", 64, "-o", tmp_path / "out")
    assert f"{report}: cannot be written" in refused(capsys, "align", photo, *options)


def test_neither_networks_nor_points_is_refused_with_the_command(capsys, tmp_path):
    message = refused(capsys, "align", photograph(tmp_path / "me.png"), "-o", tmp_path)
    assert "python -m convert_weights pnet.npy rnet.npy onet.npy" in message
    assert "--points" in message


def test_bundle_without_mtcnn_is_refused(capsys, generator_weights, tmp_path):
    photo = photograph(tmp_path / "me.png")
    message = refused(capsys, "align", photo, "-w", generator_weights, "-o", tmp_path)
    assert f"{generator_weights}: no 'mtcnn_pnet'" in message


def test_points_of_several_photographs_are_refused(capsys, tmp_path):
    photos = [photograph(tmp_path / "a.png"), photograph(tmp_path / "b.png")]
    points = points_file(tmp_path / "points.json")
    message = refused(capsys, "align", *photos, "--points", points, "-o", tmp_path)
    assert "--points are of one photograph; 2 are given" in message


UNFIT = {
    "empty": "",
    "too few": "[[1, 2]]",
    "no list": '{"a": 1}',
    "ragged": "[[1, 2], [3]]",
    "no numbers": str([[math.nan, 1]] * 5).replace("nan", "NaN"),
    "huge": str([[1e200, 1]] * 5),
    "no float": f"[[1, 1{'0' * 400}]]",
    "too deep": "[" * 200_000,
    "right before left": str(POINTS[[1, 0, 2, 4, 3]].tolist()),
}


@pytest.mark.parametrize("text", UNFIT.values(), ids=UNFIT)
def test_file_that_holds_no_points_is_refused(capsys, tmp_path, text):
    photo, points = photograph(tmp_path / "me.png"), tmp_path / "points.json"
    points.write_text(text)
    message = refused(capsys, "align", photo, "--points", points, "-o", tmp_path)
    assert f"--points {points}: " in message


def test_missing_file_of_points_is_refused(capsys, tmp_path):
    photo, points = photograph(tmp_path / "me.png"), tmp_path / "gone.json"
    message = refused(capsys, "align", photo, "--points", points, "-o", tmp_path)
    assert f"--points {points}: cannot be used (No such file" in message


@pytest.mark.parametrize("size", [0, 15, 5000])
def test_size_without_sense_is_refused(capsys, tmp_path, size):
    photo = photograph(tmp_path / "me.png")
    message = refused(capsys, "align", photo, "--size", size, "-o", tmp_path)
    assert f"--size is {size}" in message


def test_faces_of_two_runs_stand_beside_each_other(tmp_path):
    out, points = tmp_path / "out", points_file(tmp_path / "points.json")
    photos = [tmp_path / name / "me.png" for name in "ab"]
    for seed, photo in enumerate(photos):
        photo.parent.mkdir()
        photograph(photo, seed=seed)
        assert sfe("align", photo, "--points", points, "--size", 64, "-o", out) == 0
    records = json.loads((out / "align.json").read_text())
    assert [(r["image"], r["file"]) for r in records] == [
        (str(photos[0]), "me.png"),
        (str(photos[1]), "me-2.png"),
    ]
