import json

import numpy as np
import pytest

from sfe_jax.alignment.cropping import align_face
from sfe_jax.alignment.pasting import paste_face
from tests.cli.photographs import POINTS, photograph, points_file
from tests.cli.running import picture, pixels, refused, sfe

pytestmark = pytest.mark.usefixtures("quick_programs")


@pytest.fixture(scope="module")
def inverted(psp_weights, tmp_path_factory):
    """Three pictures in batches of two."""
    folder, out = tmp_path_factory.mktemp("faces"), tmp_path_factory.mktemp("inverted")
    for index in range(3):
        picture(folder / f"face{index}.png", seed=index)
    assert sfe("invert", folder, "-w", psp_weights, "--batch", 2, "-o", out) == 0
    return out


@pytest.mark.parametrize("name", ["face0", "face1", "face2"])
def test_every_picture_has_inversion_comparison_and_codes(inverted, name):
    names = {path.name for path in (inverted / name).iterdir()}
    assert names == {"inversion.png", "comparison.png", "ws.npy"}


def test_codes_have_one_row_per_layer(inverted):
    assert np.load(inverted / "face2" / "ws.npy").shape == (1, 10, 32)


def test_codes_differ_between_pictures(inverted):
    first, last = (np.load(inverted / f"face{index}" / "ws.npy") for index in (0, 2))
    assert np.abs(first - last).max() > 1e-4


def test_records_have_l2_of_every_picture(inverted):
    records = json.loads((inverted / "inversions.json").read_text())
    assert [record["l2"] > 0 for record in records] == [True] * 3


def test_codes_generate_the_inversion_again(inverted, psp_weights, tmp_path):
    """pSp shows its codes alone; `sfe generate` rounds half a level higher."""
    codes = inverted / "face1" / "ws.npy"
    assert sfe("generate", "-w", psp_weights, "--ws", codes, "-o", tmp_path) == 0
    found = pixels(tmp_path / "code0000.png").astype(int)
    assert np.abs(found - pixels(inverted / "face1" / "inversion.png")).max() <= 1


def test_the_method_can_be_chosen(sfe_weights, tmp_path):
    face = picture(tmp_path / "face.png")
    arguments = ("-w", sfe_weights, "--method", "psp", "-o", tmp_path / "out")
    assert sfe("invert", face, *arguments) == 0
    (record,) = json.loads((tmp_path / "out" / "inversions.json").read_text())
    assert record["method"] == "psp"


def test_inversion_of_a_photograph_is_pasted_back(psp_weights, tmp_path):
    photo, points = photograph(tmp_path / "me.png"), points_file(tmp_path / "points.json")
    out = tmp_path / "out"
    options = ("-w", psp_weights, "--align", "--points", points, "-o", out)
    assert sfe("invert", photo, *options) == 0
    inverted = pixels(out / "me" / "inversion.png")
    face = align_face(pixels(photo), POINTS, size=64)
    expected = paste_face(pixels(photo), face, edited=inverted)
    np.testing.assert_array_equal(pixels(out / "me" / "inversion pasted.png"), expected)


def test_codes_that_cannot_be_written_are_refused(psp_weights, tmp_path, capsys):
    face, codes = picture(tmp_path / "face.png"), tmp_path / "out" / "face" / "ws.npy"
    codes.mkdir(parents=True)
    message = refused(capsys, "invert", face, "-w", psp_weights, "-o", tmp_path / "out")
    assert f"{codes}: cannot be written" in message
