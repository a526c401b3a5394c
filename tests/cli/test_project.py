import json

import numpy as np
import pytest
from PIL import Image

from sfe_jax.pipelines.bundle import Bundle, save_bundle
from tests.cli.running import pixels, refused, sfe
from tests.models.networks import NUM_WS, W
from tests.pipelines.reconstruction import tiny_bundle

pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def projected(weights, faces, tmp_path_factory):
    """Three pictures in batches of two, with animations."""
    out = tmp_path_factory.mktemp("projected")
    arguments = ("-w", weights, "--steps", 12, "--batch", 2, "--animation", "gif", "-o", out)
    assert sfe("project", faces, *arguments) == 0
    return out


@pytest.mark.parametrize("name", ["face0", "face1", "face2"])
def test_every_picture_has_its_files(projected, name):
    files = {path.name for path in (projected / name).iterdir()}
    pictures = {"target.png", "projection.png", "comparison.png"}
    assert files == {*pictures, "projected_w.npz", "projection.gif"}


def test_codes_have_the_shape_and_name_of_the_original(projected):
    with np.load(projected / "face1" / "projected_w.npz") as file:
        assert {name: file[name].shape for name in file} == {"w": (1, NUM_WS, W)}


def test_target_is_the_picture(projected, faces):
    np.testing.assert_array_equal(
        pixels(projected / "face2" / "target.png"), pixels(faces / "face2.png")
    )


def test_codes_generate_the_projection_again(projected, weights, tmp_path):
    codes = projected / "face1" / "projected_w.npz"
    assert sfe("generate", "-w", weights, "--ws", codes, "-o", tmp_path) == 0
    (path,) = tmp_path.glob("*0000.png")
    found = pixels(path).astype(int)
    assert np.abs(found - pixels(projected / "face1" / "projection.png")).max() <= 1


def test_animation_has_a_frame_for_every_look(projected):
    with Image.open(projected / "face0" / "projection.gif") as file:
        assert file.n_frames == 2


def test_records_name_space_start_network_and_distance(projected):
    records = json.loads((projected / "projections.json").read_text())
    made = {(x["space"], x["start"], x["distance_network"]) for x in records}
    assert (len(records), made) == (3, {("w", "average", "features")})
    assert all(record["distance"] > 0 for record in records)


# Refusals.


@pytest.mark.parametrize(("option", "value"), [("--steps", 0), ("--batch", 0)])
def test_an_unusable_number_is_refused(capsys, weights, faces, option, value):
    message = refused(capsys, "project", faces, "-w", weights, option, value)
    assert f"{option} is 0" in message


def test_an_encoder_that_is_missing_is_refused(capsys, weights, faces, tmp_path):
    arguments = ("-w", weights, "--start", "e4e", "-o", tmp_path)
    assert "no 'e4e' in this bundle" in refused(capsys, "project", faces, *arguments)


def test_a_bundle_that_sees_no_likeness_is_refused(capsys, faces, tmp_path):
    path = tmp_path / "blind.safetensors"
    save_bundle(path, Bundle({"generator": tiny_bundle().network("generator")}))
    message = refused(capsys, "project", faces, "-w", path, "-o", tmp_path)
    assert "blind.safetensors: no network in this bundle sees likeness" in message


def test_no_pictures_are_refused(capsys, weights):
    assert "no IMAGE given" in refused(capsys, "project", "-w", weights)


def test_a_picture_that_is_not_square_is_refused_before_the_search(capsys, weights, tmp_path):
    Image.fromarray(np.zeros((16, 32, 3), np.uint8)).save(tmp_path / "wide.png")
    arguments = ("-w", weights, "-o", tmp_path / "out")
    assert "wide.png: is 32 x 16" in refused(capsys, "project", tmp_path / "wide.png", *arguments)
    assert not (tmp_path / "out").exists()
