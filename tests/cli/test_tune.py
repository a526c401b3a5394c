import json

import numpy as np
import pytest

from sfe_jax.latents.files import save_codes
from sfe_jax.pipelines.bundle import load_bundle
from tests.cli.running import pixels, refused, sfe
from tests.models.networks import NUM_WS, W, draw

QUICK = ("--steps", 12, "--learning-rate", 0.01, "--enough", 0)
CODES = draw(3, NUM_WS, W)


pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def tuned(weights, faces, tmp_path_factory):
    """Three pictures at codes in the files of `sfe project`."""
    codes, out = tmp_path_factory.mktemp("projected"), tmp_path_factory.mktemp("tuned")
    for index in range(3):
        save_codes(codes / f"face{index}" / "projected_w.npz", CODES[index : index + 1])
    assert sfe("tune", faces, "-w", weights, "--ws", codes, *QUICK, "-o", out) == 0
    return out


@pytest.mark.parametrize("name", ["face0", "face1", "face2"])
def test_every_picture_has_its_files(tuned, name):
    files = {path.name for path in (tuned / name).iterdir()}
    assert files == {"tuned.png", "comparison.png", "pivot.npz", "tuned.safetensors"}


def test_bundle_holds_the_generator_alone(tuned):
    assert load_bundle(tuned / "face0" / "tuned.safetensors").networks.keys() == {"generator"}


def test_bundle_and_pivot_generate_the_tuned_picture(tuned, tmp_path):
    folder = tuned / "face1"
    arguments = ("--ws", folder / "pivot.npz", "-o", tmp_path)
    assert sfe("generate", "-w", folder / "tuned.safetensors", *arguments) == 0
    (path,) = tmp_path.glob("*0000.png")
    found = pixels(path).astype(int)
    assert np.abs(found - pixels(folder / "tuned.png")).max() <= 1


def test_pivots_are_the_codes_that_are_given(tuned):
    found = np.load(tuned / "face2" / "pivot.npz")["w"]
    np.testing.assert_array_equal(found, CODES[2:])


def test_records_have_the_distance_before_and_after(tuned):
    records = json.loads((tuned / "tunings.json").read_text())
    assert [record["steps"] for record in records] == [12, 12, 12]
    assert all(record["distance"] < record["pivot_distance"] for record in records)


def test_pivots_are_searched_when_none_are_given(weights, faces, tmp_path):
    arguments = ("-w", weights, "--pivot-steps", 2, "--steps", 2, "-o", tmp_path)
    assert sfe("tune", faces / "face0.png", *arguments) == 0
    assert np.load(tmp_path / "face0" / "pivot.npz")["w"].shape == (1, NUM_WS, W)


# Refusals.


@pytest.mark.parametrize("option", ["--steps", "--batch", "--pivot-steps"])
def test_an_unusable_number_is_refused(capsys, weights, faces, option):
    assert f"{option} is 0" in refused(capsys, "tune", faces, "-w", weights, option, 0)


def test_a_folder_without_the_code_of_a_picture_is_refused(capsys, weights, faces, tmp_path):
    message = refused(capsys, "tune", faces, "-w", weights, "--ws", tmp_path)
    assert f"--ws: {tmp_path / 'face0'} holds no code" in message


def test_another_number_of_codes_is_refused(capsys, weights, faces, tmp_path):
    path = tmp_path / "two.npy"
    save_codes(path, draw(2, NUM_WS, W))
    message = refused(capsys, "tune", faces, "-w", weights, "--ws", path)
    assert "two.npy holds 2 codes; there are 3 pictures" in message
