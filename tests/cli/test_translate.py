"""`sfe translate` with small random networks: what it writes, and what it refuses."""

import json

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from sfe_jax.pipelines.bundle import save_bundle
from sfe_jax.pipelines.translation import LABEL_COLOURS, degrade_levels, read_condition
from tests.cli.photographs import photograph, points_file
from tests.cli.running import noise, picture, pixels, refused, sfe
from tests.pipelines.translation import INPUT_SIZE, translating


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Channels of the encoder -> a bundle that makes pictures of 32x32."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {channels: folder / f"{channels}.safetensors" for channels in (1, 3, 19)}
    for channels, path in paths.items():
        save_bundle(path, translating(channels))
    return paths


@pytest.fixture(scope="module")
def drawn(bundles, quick_programs, tmp_path_factory):
    """Three sketches in batches of two, with two variations."""
    folder, out = tmp_path_factory.mktemp("sketches"), tmp_path_factory.mktemp("drawn")
    for index in range(3):
        picture(folder / f"sketch{index}.png", seed=index)
    options = ("--batch", 2, "--variations", 2, "--rows", "2-6,7=0.5", "--seed", 7, "-o", out)
    assert sfe("translate", folder, "-w", bundles[1], *options) == 0
    return out


@pytest.fixture(scope="module")
def sharpened(bundles, quick_programs, tmp_path_factory):
    """A picture that is degraded first."""
    folder = tmp_path_factory.mktemp("sharpened")
    options = ("--factor", 8, "-o", folder / "out")
    assert sfe("translate", picture(folder / "face.png"), "-w", bundles[3], *options) == 0
    return folder / "out"


def map_of_labels(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(INPUT_SIZE, INPUT_SIZE) % 19).save(path, **options)
    return path


def records(folder):
    return json.loads((folder / "translations.json").read_text())


@pytest.mark.parametrize("name", ["sketch0", "sketch1", "sketch2"])
def test_every_sketch_has_translation_variations_comparison_and_codes(drawn, name):
    names = {path.name for path in (drawn / name).iterdir()}
    pictures = {"translation.png", "variation 1.png", "variation 2.png", "comparison.png"}
    assert names == pictures | {"ws.npy"}


def test_codes_have_one_row_per_layer(drawn):
    assert np.load(drawn / "sketch2" / "ws.npy").shape == (1, 8, 8)


def test_variations_differ_from_each_other(drawn):
    first, second = (pixels(drawn / "sketch0" / f"variation {n}.png") for n in (1, 2))
    assert np.any(first != second)


def test_records_say_how_variations_are_made_again(drawn):
    record = records(drawn)[1]
    assert (record["reads"], record["rows"]) == ("sketches", "2-6,7=0.5")
    assert record["variations"] == [
        {"seed": 7, "file": "sketch1/variation 1.png"},
        {"seed": 8, "file": "sketch1/variation 2.png"},
    ]


def test_sketches_have_no_scores(drawn):
    assert not any("l2" in record for record in records(drawn))


def test_pictures_have_scores_and_their_factor(sharpened):
    (record,) = records(sharpened)
    assert record["l2"] > 0
    assert record["factor"] == 8


def test_the_degraded_picture_is_in_the_comparison(sharpened):
    face = read_condition(sharpened.parent / "face.png", channels=3, size=INPUT_SIZE)
    (degraded,) = degrade_levels(face[None], 8)
    strip = pixels(sharpened / "face" / "comparison.png")[-INPUT_SIZE:]
    windows = sliding_window_view(strip, degraded.shape)[0, :, 0]
    assert (windows == degraded).all(axis=(1, 2, 3)).sum() == 1


@pytest.mark.usefixtures("quick_programs")
def test_labels_are_compared_in_their_colours(bundles, tmp_path):
    path = map_of_labels(tmp_path / "map.png")
    assert sfe("translate", path, "-w", bundles[19], "-o", tmp_path / "out") == 0
    row = pixels(tmp_path / "out" / "map" / "comparison.png").reshape(-1, 3)
    assert set(LABEL_COLOURS) <= set(map(tuple, row.tolist()))


@pytest.mark.usefixtures("quick_programs")
def test_a_face_is_cut_out_of_a_photograph(bundles, tmp_path):
    photo, points = photograph(tmp_path / "me.png"), points_file(tmp_path / "points.json")
    options = ("--align", "--points", points, "-o", tmp_path / "out")
    assert sfe("translate", photo, "-w", bundles[3], *options) == 0
    assert pixels(tmp_path / "out" / "me" / "aligned.png").shape == (INPUT_SIZE, INPUT_SIZE, 3)


def test_a_palette_is_refused_as_labels(capsys, bundles, tmp_path):
    path = tmp_path / "map.png"
    Image.fromarray(noise(INPUT_SIZE, INPUT_SIZE) % 19).convert("P").save(path)
    message = refused(capsys, "translate", path, "-w", bundles[19], "-o", tmp_path / "out")
    assert "map.png: is PNG of mode P" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--factor", 4), "--factor is for photographs; this encoder reads sketches"),
        (("--align",), "--align is for photographs; this encoder reads sketches"),
        (("--rows", "4-5"), "--rows are those of variations"),
        (("--variations", -1), "--variations is -1"),
        (("--variations", 101), "--variations is 101; required is 0, for none, to 100"),
        (("--variations", 1, "--rows", "7-8"), "this generator has rows 0 to 7"),
        (("--variations", 1, "--seed", -1), "--seed is -1"),
        (("--batch", 0), "--batch is 0"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(capsys, bundles, tmp_path, options, message):
    sketch = picture(tmp_path / "sketch.png")
    out = ("-w", bundles[1], "-o", tmp_path / "out")
    assert message in refused(capsys, "translate", sketch, *out, *options)


def test_a_factor_that_does_not_divide_the_size_is_refused(capsys, bundles, tmp_path):
    face = picture(tmp_path / "face.png")
    options = ("-w", bundles[3], "--factor", 3, "-o", tmp_path / "out")
    assert "--factor is 3; required is a divisor of 32, at most 16" in refused(
        capsys, "translate", face, *options
    )


def test_inversion_by_an_encoder_of_labels_names_this_command(capsys, bundles, tmp_path):
    face = picture(tmp_path / "face.png")
    message = refused(capsys, "invert", face, "-w", bundles[19], "-o", tmp_path / "out")
    assert "psp works on pictures of 19 channels; required are 3" in message
    assert "`sfe translate`" in message
