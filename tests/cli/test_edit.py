import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageSequence

from sfe_jax.alignment import cropping
from sfe_jax.alignment.cropping import align_face
from sfe_jax.alignment.pasting import paste_face
from sfe_jax.cli.batches import Portrait, open_photographs
from sfe_jax.cli.edit import Wanted, _edit_pictures, _read_background
from sfe_jax.cli.edit_animation import AnimationForm
from sfe_jax.cli.options import free_name
from sfe_jax.cli.photographs import Found
from sfe_jax.core.images import load_aligned
from sfe_jax.core.sheets import fit
from sfe_jax.edits.catalogue import FACES
from sfe_jax.pipelines.bundle import Bundle, load_bundle
from sfe_jax.pipelines.editor import Editor
from tests.cli.photographs import POINTS, grey, photograph, points_file, stand_in
from tests.cli.running import noise, picture, pixels, refused, sfe


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """A picture, and a folder with one of the same name and one that is no picture."""
    folder = tmp_path_factory.mktemp("faces")
    picture(folder / "face.png")
    picture(folder / "more" / "face.png", seed=1)
    picture(folder / "more" / "deep" / "other.bmp", seed=2)
    (folder / "more" / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(scope="session")
def edited(sfe_weights, faces, tmp_path_factory):
    """Two edits in several strengths of three pictures, by the whole of SFE."""
    out = tmp_path_factory.mktemp("edited")
    edits = ("--edit", "smile=-3,3", "-e", "age=5", "-e", "smile=1.5")
    arguments = ("--weights", sfe_weights, *edits, "--batch", 3, "-o", out)
    assert sfe("edit", faces / "face.png", faces / "more", *arguments) == 0
    return out


@pytest.fixture(scope="session")
def editor(sfe_weights):
    return Editor(load_bundle(sfe_weights), directions=FACES)


@pytest.fixture(scope="session")
def inversion(editor, faces):
    return editor.invert(load_aligned(faces / "face.png", 64)[None])


@pytest.fixture(scope="session")
def records(edited):
    return json.loads((edited / "edits.json").read_text())


# Files.


def test_every_picture_has_its_own_folder_even_when_names_repeat(edited):
    assert {path.name for path in edited.iterdir()} == {"face", "face-2", "other", "edits.json"}


def test_a_folder_holds_inversion_edits_and_strips(edited):
    names = {path.name for path in (edited / "face").iterdir()}
    singles = {"smile -3.png", "smile +3.png", "smile +1.5.png", "age +5.png"}
    assert names == {"inversion.png", "smile.png", "age.png"} | singles


def test_inversion_is_that_of_the_library(edited, editor, inversion):
    expected = editor.reconstruct(inversion)[0].astype(int)
    assert np.abs(pixels(edited / "face" / "inversion.png") - expected).max() <= 1


def test_an_edit_is_that_of_the_library(edited, editor, inversion):
    expected = editor.edit(inversion, "smile", [-3.0])[0, 0].astype(int)
    assert np.abs(pixels(edited / "face" / "smile -3.png") - expected).max() <= 1


class Listener:
    """An editor of the method sfe that only notes which background it is to protect."""

    bundle, method_name, resolution = Bundle({}), "sfe", 64

    def invert(self, images):
        return images

    def reconstruct(self, images):
        return images

    def protect(self, images, background):
        self.background = background
        return images


def test_white_of_the_mask_is_protected(tmp_path):
    """The right half is white; of a coloured picture the red counts."""
    levels = np.zeros((64, 64, 3), np.uint8)
    levels[:, 32:, 0] = 255
    Image.fromarray(levels).save(tmp_path / "mask.png")
    editor = Listener()
    background = _read_background(tmp_path / "mask.png", editor, count=1)
    portrait = Portrait(noise(64, 64, 3))
    wanted = Wanted([], [], AnimationForm("gif", 4.0, 32), background)
    _edit_pictures(editor, [portrait], [tmp_path / "face"], wanted)
    np.testing.assert_array_equal(editor.background[0], np.tile([0.0] * 32 + [1.0] * 32, (64, 1)))


def holds(strip, image):
    """Whether a picture stands somewhere on the lower edge of a strip."""
    lower = strip[-64:]
    return any((lower[:, left : left + 64] == image).all() for left in range(lower.shape[1] - 63))


@pytest.mark.parametrize("name", ["inversion", "smile -3", "smile +3", "smile +1.5"])
def test_strip_shows_the_pictures_that_were_saved(edited, name):
    strip = pixels(edited / "face" / "smile.png")
    assert holds(strip, pixels(edited / "face" / f"{name}.png"))


def test_strip_shows_the_original(edited, faces):
    assert holds(pixels(edited / "face" / "smile.png"), pixels(faces / "face.png"))


# Records.


def test_record_names_every_picture(records, faces):
    names = ["face.png", "more/deep/other.bmp", "more/face.png"]
    assert [record["image"] for record in records] == [str(faces / name) for name in names]


def test_record_names_every_edit_and_its_file(records):
    strengths = [(edit["edit"], edit["strength"]) for edit in records[0]["edits"]]
    assert strengths == [("smile", -3), ("smile", 3), ("smile", 1.5), ("age", 5)]


def test_files_of_the_record_exist(records, edited):
    assert all((edited / edit["file"]).is_file() for rec in records for edit in rec["edits"])


def test_l2_of_the_record_is_that_of_the_saved_inversion(records, edited, faces):
    saved = pixels(edited / "face" / "inversion.png").astype(np.float64)
    expected = np.mean(np.square((saved - pixels(faces / "face.png")) / 127.5))
    assert records[0]["l2"] == pytest.approx(expected, rel=1e-4)


def test_identity_is_recorded_when_the_bundle_has_arcface(records):
    assert all(-1 <= record["identity"] <= 1 for record in records)


def test_method_is_recorded(records):
    assert {record["method"] for record in records} == {"sfe"}


# Other ways to ask.


@pytest.fixture(scope="session")
def other(psp_weights, tmp_path_factory):
    """A range, a strength beyond its range and an own direction, by pSp; results and words."""
    folder = tmp_path_factory.mktemp("other")
    np.save(folder / "happy.npy", np.ones((1, 32), np.float32))
    edits = ("-e", "age=-2:2:3", "-e", "smile=99", "-e", "happy=1")
    edits += ("--animate", "age=0:4:3", "--animation", "gif", "--fps", 4, "--side", 32)
    options = ("-w", psp_weights, "--directions", folder / "happy.npy", "-o", folder / "out")
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert sfe("edit", picture(folder / "face.png"), *options, *edits) == 0
    return folder / "out", said.getvalue()


def test_identity_is_not_recorded_without_arcface(other):
    (record,) = json.loads((other[0] / "edits.json").read_text())
    assert "identity" not in record


def test_a_range_of_strengths_is_spread(other):
    names = {path.name for path in (other[0] / "face").glob("age *")}
    assert names == {"age -2.png", "age +0.png", "age +2.png"}


def test_a_strength_beyond_the_documented_range_is_warned_of(other):
    assert "warning: strength 99 of edit `smile`" in other[1]


def test_compilation_is_announced(other):
    assert "compiling" in other[1]


def test_progress_is_shown(other):
    assert "editing" in other[1]


def test_an_own_direction_is_used_under_the_name_of_its_file(other):
    assert (other[0] / "face" / "happy +1.png").is_file()


def test_an_animation_shows_every_strength_and_the_way_back(other, psp_weights):
    """Two frames rest at either end, and the one between them is shown twice."""
    with Image.open(other[0] / "face" / "age.gif") as animation:
        shown = [np.asarray(animation.convert("RGB")) for _ in ImageSequence.Iterator(animation)]
        times = [animation.seek(i) or animation.info["duration"] for i in range(len(shown))]
    editor = Editor(load_bundle(psp_weights), directions=FACES)
    face = load_aligned(other[0].parent / "face.png", 64)[None]
    drawn = editor.edit(editor.invert(face), "age", [0.0, 2.0, 4.0])[0]
    expected = [fit(image, side=32) for image in drawn[[0, 1, 2, 1]]]
    assert times == [500, 250, 500, 250]
    assert np.abs(np.asarray(shown, int) - np.asarray(expected)).mean() < 12  # 256 colours.


def test_record_names_an_animation(other):
    (record,) = json.loads((other[0] / "edits.json").read_text())
    expected = {"edit": "age", "strengths": [0, 2, 4], "file": "face/age.gif"}
    assert record["animations"] == [expected]


def test_an_animation_of_one_strength_is_refused(psp_weights, tmp_path, capsys):
    arguments = ("-w", psp_weights, "--animate", "age=3", "-o", tmp_path / "out")
    line = refused(capsys, "edit", picture(tmp_path / "face.png"), *arguments)
    assert "--animate age has one strength" in line


def test_a_picture_that_is_not_square_is_cropped_when_asked(psp_weights, tmp_path):
    from PIL import Image

    Image.fromarray(noise(64, 90, 3)).save(tmp_path / "wide.png")
    arguments = ("-w", psp_weights, "-e", "age=1", "--crop", "-o", tmp_path / "out")
    assert sfe("edit", tmp_path / "wide.png", *arguments) == 0


@pytest.mark.parametrize(
    ("stems", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a-2", "a-3"]),
        (["a", "a-2", "a"], ["a", "a-2", "a-3"]),
        (["a", "a", "a-2"], ["a", "a-2", "a-2-2"]),
        (["A", "a"], ["A", "a-2"]),
        (["..", ".", "picture"], ["picture", "picture-2", "picture-3"]),
    ],
)
def test_free_names_never_repeat(stems, names):
    taken = set()
    assert [free_name(stem, taken) for stem in stems] == names


# Photographs as they come from a camera.


@pytest.fixture(scope="session")
def pasted(psp_weights, tmp_path_factory):
    """An edit of a photograph whose face was aligned by its points."""
    folder = tmp_path_factory.mktemp("pasted")
    photo, points = photograph(folder / "me.png"), points_file(folder / "points.json")
    options = ("-w", psp_weights, "-e", "age=-2,3", "-o", folder / "out")
    assert sfe("edit", photo, "--align", "--points", points, *options) == 0
    return folder


def test_folder_of_a_photograph_holds_the_face_and_pasted_edits(pasted):
    names = {path.name for path in (pasted / "out" / "me").iterdir()}
    edits = {"age -2.png", "age +3.png", "age -2 pasted.png", "age +3 pasted.png", "age.png"}
    assert names == {"aligned.png", "inversion.png"} | edits


def test_face_of_a_photograph_is_aligned(pasted):
    expected = align_face(pixels(pasted / "me.png"), POINTS, size=64).image
    np.testing.assert_array_equal(pixels(pasted / "out" / "me" / "aligned.png"), expected)


def test_pasted_edit_is_that_of_the_library(pasted):
    photo, edited = (pixels(pasted / name) for name in ("me.png", "out/me/age +3.png"))
    expected = paste_face(photo, align_face(photo, POINTS, size=64), edited=edited)
    np.testing.assert_array_equal(pixels(pasted / "out" / "me" / "age +3 pasted.png"), expected)


def test_record_of_a_photograph_has_its_face_and_pasted_files(pasted):
    (record,) = json.loads((pasted / "out" / "edits.json").read_text())
    np.testing.assert_allclose(record["face"]["points"], POINTS)
    assert [edit["pasted"] for edit in record["edits"]] == [
        "me/age -2 pasted.png",
        "me/age +3 pasted.png",
    ]


def test_photograph_without_a_face_is_skipped_and_the_others_edited(
    psp_weights, tmp_path, capsys, monkeypatch
):
    stand_in(monkeypatch)
    photos = [photograph(tmp_path / name, seed=len(name)) for name in ("a.png", "other.png")]
    photos.insert(1, grey(tmp_path / "wall.png"))
    options = ("-w", psp_weights, "--align", "-e", "age=1", "-o", tmp_path / "out")
    assert sfe("edit", *photos, *options) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"skipped {photos[1]}: no face is found" in said
    assert said.endswith("photographs skipped: 1 of 3")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"a", "other", "edits.json"}


def test_faces_are_found_once_although_photographs_are_checked_and_opened(tmp_path):
    calls = []

    def find(photo, path):
        calls.append(path)
        return [Found(POINTS, {})]

    path = photograph(tmp_path / "me.png")
    opener = open_photographs(find, 64)
    opener.check(path)
    expected = align_face(pixels(path), POINTS, size=64).image
    np.testing.assert_array_equal(opener.open(path).picture, expected)
    assert calls == [path]


def test_checking_a_photograph_cuts_nothing_out(tmp_path, monkeypatch):
    cut = []
    monkeypatch.setattr(cropping, "align_face", lambda *_, **__: cut.append(1))
    opener = open_photographs(lambda *_: [Found(POINTS, {})], 64)
    opener.check(photograph(tmp_path / "me.png"))
    assert cut == []
