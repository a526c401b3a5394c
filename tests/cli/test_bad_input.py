"""Every bad input ends in one line that names the file or the option, and status 2."""

import numpy as np
import pytest
from PIL import Image

from sfe_jax.pipelines.bundle import Bundle, save_bundle
from tests.alignment.pictures import points_in
from tests.cli.photographs import photograph, points_file
from tests.cli.running import noise, picture, refused, sfe
from tests.readers.builders import torch_zip


@pytest.fixture
def face(tmp_path):
    return picture(tmp_path / "face.png")


def edit(capsys, weights, source, edit="age=1"):
    out = source.parent / "out"
    return refused(capsys, "edit", source, "--weights", weights, "--edit", edit, "-o", out)


# Pictures.


def test_a_file_that_is_no_picture_is_refused(capsys, psp_weights, tmp_path):
    path = tmp_path / "face.png"
    path.write_text("not a picture")
    assert "face.png: is not a picture that we read" in edit(capsys, psp_weights, path)


def test_an_empty_file_is_refused(capsys, psp_weights, tmp_path):
    path = tmp_path / "face.png"
    path.touch()
    assert "face.png: is empty" in edit(capsys, psp_weights, path)


def test_a_truncated_jpeg_is_refused(capsys, psp_weights, tmp_path):
    path = tmp_path / "face.jpg"
    Image.fromarray(noise(128, 128, 3)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert "face.jpg: is broken or truncated" in edit(capsys, psp_weights, path)


@pytest.mark.parametrize("size", [1, 7, 15])
def test_a_tiny_picture_is_refused(capsys, psp_weights, tmp_path, size):
    path = tmp_path / "face.png"
    Image.fromarray(noise(size, size, 3)).save(path)
    assert f"face.png: is {size} x {size}" in edit(capsys, psp_weights, path)


def test_a_picture_of_another_aspect_is_refused(capsys, psp_weights, tmp_path):
    path = tmp_path / "face.png"
    Image.fromarray(noise(64, 100, 3)).save(path)
    message = edit(capsys, psp_weights, path)
    assert "face.png: is 100 x 64" in message
    assert "--crop" in message


def test_a_missing_picture_is_refused(capsys, psp_weights, tmp_path):
    assert "gone.png: does not exist" in edit(capsys, psp_weights, tmp_path / "gone.png")


def test_an_empty_folder_is_refused(capsys, psp_weights, tmp_path):
    (tmp_path / "faces").mkdir()
    assert "faces: holds no picture" in edit(capsys, psp_weights, tmp_path / "faces")


@pytest.mark.parametrize("command", [("edit", "-e", "age=1"), ("invert",)])
def test_no_picture_at_all_is_refused(capsys, psp_weights, tmp_path, command):
    assert "IMAGE" in refused(capsys, *command, "-w", psp_weights, "-o", tmp_path)


def test_nothing_is_written_when_one_of_two_pictures_is_bad(capsys, psp_weights, face, tmp_path):
    (tmp_path / "bad.png").write_text("not a picture")
    out = tmp_path / "out"
    refused(capsys, "edit", face, tmp_path / "bad.png", "-w", psp_weights, "-e", "age=1", "-o", out)
    assert not out.exists()


def test_all_bad_pictures_are_named_at_once(capsys, psp_weights, face, tmp_path):
    bad = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in bad:
        path.write_text("not a picture")
    options = ("-w", psp_weights, "-e", "age=1", "-o", tmp_path / "out")
    assert sfe("edit", *bad, face, *options) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert all(f"{path}: is not a picture that we read" in said for path in bad)
    assert "error: 2 of 3 pictures cannot be used" in said


def save_cmyk(path):
    Image.fromarray(noise(64, 64, 3)).convert("CMYK").save(path.with_suffix(".jpg"))


def save_16_bit(path):
    levels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    Image.fromarray(levels).save(path)


def save_palette(path):
    Image.fromarray(noise(64, 64, 3)).convert("P").save(path)


def save_alpha(path):
    Image.fromarray(noise(64, 64, 4)).save(path)


def save_rotated(path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(noise(64, 64, 3)).save(path.with_suffix(".jpg"), exif=exif)


SAVERS = {
    "cmyk": save_cmyk,
    "16-bit": save_16_bit,
    "palette": save_palette,
    "alpha": save_alpha,
    "rotated": save_rotated,
}


@pytest.fixture(scope="module")
def unusual(psp_weights, tmp_path_factory):
    """Inversions of one picture of every unusual sort, by its name."""
    folder, out = tmp_path_factory.mktemp("unusual"), tmp_path_factory.mktemp("inverted")
    for name, save in SAVERS.items():
        save(folder / f"{name}.png")
    assert sfe("invert", folder, "-w", psp_weights, "-o", out) == 0
    return out


@pytest.mark.parametrize("name", SAVERS)
def test_unusual_pictures_are_handled(unusual, name):
    assert (unusual / name / "inversion.png").is_file()


# Photographs.


def edit_photo(capsys, weights, tmp_path, *options):
    """What is said when a photograph is refused."""
    photo = photograph(tmp_path / "me.png")
    arguments = ("-w", weights, "-e", "age=1", "-o", tmp_path / "out")
    return refused(capsys, "edit", photo, *arguments, *options)


def test_align_and_crop_together_are_refused(capsys, psp_weights, tmp_path):
    assert "--align and --crop" in edit_photo(capsys, psp_weights, tmp_path, "--align", "--crop")


def test_points_without_align_are_refused(capsys, psp_weights, tmp_path):
    points = points_file(tmp_path / "points.json")
    assert "give --align too" in edit_photo(capsys, psp_weights, tmp_path, "--points", points)


def test_align_is_refused_when_the_bundle_has_no_mtcnn(capsys, psp_weights, tmp_path):
    message = edit_photo(capsys, psp_weights, tmp_path, "--align")
    assert f"python -m convert_weights {psp_weights} pnet.npy rnet.npy onet.npy" in message


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (points_in((40, 20), side=7), "the face is 7 x 7, too small for 64 x 64"),
        (points_in((400, 20), side=80), "is 160 x 130, and the face would lie about"),
    ],
)
def test_status_is_1_when_the_only_photograph_is_skipped(
    capsys, psp_weights, tmp_path, points, message
):
    photo, out = photograph(tmp_path / "me.png"), tmp_path / "out"
    given = ("--align", "--points", points_file(tmp_path / "points.json", points))
    assert sfe("edit", photo, *given, "-w", psp_weights, "-e", "age=1", "-o", out) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"skipped {photo}: {message}" in said
    assert "photographs skipped: 1 of 1" in said
    assert not out.exists()


# Edits.


@pytest.mark.parametrize("name", ["inversion", "aligned", "Inversion"])
def test_an_edit_whose_strip_would_replace_a_picture_is_refused(capsys, psp_weights, face, name):
    message = edit(capsys, psp_weights, face, f"{name}=1")
    assert f"--edit {name}: its strip {name}.png would replace another picture" in message


def test_strengths_whose_pictures_would_have_one_name_are_refused(capsys, psp_weights, face):
    message = edit(capsys, psp_weights, face, "age=1.2345671,1.2345672")
    assert "--edit age: two strengths agree in six digits" in message


def test_a_mask_is_refused_where_no_feature_is_edited(capsys, psp_weights, face, tmp_path):
    options = ("-w", psp_weights, "-e", "age=1", "--mask", face, "-o", tmp_path / "out")
    assert "--mask goes with the method sfe" in refused(capsys, "edit", face, *options)


def test_a_mask_of_several_pictures_is_refused(capsys, psp_weights, face, tmp_path):
    other = picture(tmp_path / "other.png", seed=1)
    options = ("-w", psp_weights, "-e", "age=1", "--mask", face, "-o", tmp_path / "out")
    message = refused(capsys, "edit", face, other, *options)
    assert "--mask is of one photograph; 2 are given" in message


def test_an_unknown_edit_is_refused_with_the_nearest_names(capsys, psp_weights, face):
    message = edit(capsys, psp_weights, face, "smil=3")
    assert "edit `smil` is unknown; nearest: smile" in message


@pytest.mark.parametrize("text", ["age=old", "age=", "age", "age=1,,2", "age=nan", "age=1:2", "=3"])
def test_a_strength_that_is_no_number_is_refused(capsys, psp_weights, face, text):
    assert f"`{text}`" in edit(capsys, psp_weights, face, text)


def test_an_edit_whose_file_is_missing_is_refused_with_the_file(capsys, psp_weights, face):
    message = edit(capsys, psp_weights, face, "rotation=1")
    assert "rotation.pt" in message
    assert "--directions" in message


def test_an_edit_that_does_not_fit_the_generator_is_refused(capsys, psp_weights, face):
    message = edit(capsys, psp_weights, face, "black hair=1")
    assert "edit `black hair` needs channel 479 of layer b64.conv1" in message


def test_no_edit_is_refused(capsys, psp_weights, face, tmp_path):
    message = refused(capsys, "edit", face, "-w", psp_weights, "-o", tmp_path / "out")
    assert "--edit" in message


def test_a_missing_folder_of_directions_is_refused(capsys, psp_weights, face, tmp_path):
    options = ("-w", psp_weights, "-e", "age=1", "--directions", tmp_path / "gone")
    assert "gone" in refused(capsys, "edit", face, *options, "-o", tmp_path / "out")


def test_a_batch_of_none_is_refused(capsys, psp_weights, face, tmp_path):
    options = ("-w", psp_weights, "-e", "age=1", "--batch", 0, "-o", tmp_path)
    assert "--batch is 0" in refused(capsys, "edit", face, *options)


def test_an_unwritable_folder_is_refused(capsys, psp_weights, face, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    options = ("-w", psp_weights, "-e", "age=1", "-o", tmp_path / "file")
    assert "file" in refused(capsys, "edit", face, *options)


# Weights.


def test_weights_of_a_generator_alone_are_refused(capsys, generator_weights, face):
    message = edit(capsys, generator_weights, face)
    assert "generator.safetensors: this bundle cannot invert pictures, it holds gen" in message


def test_a_method_is_refused_whose_networks_are_missing(capsys, psp_weights, face, tmp_path):
    options = ("-w", psp_weights, "--method", "sfe", "-e", "age=1", "-o", tmp_path)
    message = refused(capsys, "edit", face, *options)
    assert "no 'inverter' in this bundle; it holds generator, psp" in message


def test_official_weights_are_refused_with_the_command_that_converts_them(capsys, face, tmp_path):
    path = tmp_path / "sfe_editor_light.pt"
    path.write_bytes(torch_zip({"state_dict": {}}))
    message = edit(capsys, path, face)
    assert "sfe_editor_light.pt" in message
    assert "python -m convert_weights" in message


@pytest.mark.parametrize("kept", [0, 4, 5000, -1])
def test_weights_cut_short_are_refused(capsys, psp_weights, face, tmp_path, kept):
    path = tmp_path / "short.safetensors"
    path.write_bytes(psp_weights.read_bytes()[:kept])
    assert "short.safetensors: not a readable bundle" in edit(capsys, path, face)


def test_missing_weights_are_refused(capsys, face, tmp_path):
    message = edit(capsys, tmp_path / "gone.safetensors", face)
    assert "gone.safetensors: no such file" in message


def test_a_folder_as_weights_is_refused(capsys, face, tmp_path):
    assert str(tmp_path) in edit(capsys, tmp_path, face)


def test_networks_are_refused_when_they_give_no_numbers(capsys, small_bundle, face, tmp_path):
    import jax

    networks = {role: small_bundle.networks[role] for role in ("generator", "psp")}
    broken = jax.tree.map(lambda x: x * np.float32(1e30), networks["generator"].variables)
    networks["generator"] = type(networks["generator"])(networks["generator"].module, broken)
    path = tmp_path / "nan.safetensors"
    save_bundle(path, Bundle(networks, small_bundle.directions))
    assert "non-finite" in edit(capsys, path, face)
