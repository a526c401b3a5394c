import json

import numpy as np
import pytest

from sfe_jax.models.stylegan2 import Generator
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines.bundle import Bundle, Network, save_bundle
from sfe_jax.pipelines.random_bundle import random_variables
from tests.cli.running import noise, refused, sfe
from tests.data.pictures import png, write_folder

SIDE = 32


def files(count, *, change=0):
    """Pictures of noise, moved up by some levels."""
    pictures = [noise(SIDE, SIDE, 3, seed=index) // 2 + np.uint8(change) for index in range(count)]
    return {f"{index}.png": png(picture) for index, picture in enumerate(pictures)}


@pytest.fixture
def folders(tmp_path):
    """Three pictures, and the same brighter by 51 levels, a fifth of the range."""
    first = write_folder(tmp_path / "a", files(3))
    return first, write_folder(tmp_path / "b", files(3, change=51))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    module = FaceFeatures(("smile",), channels=(4, 4, 4, 4))
    network = Network(module, random_variables(module, np.random.default_rng(0)))
    path = tmp_path_factory.mktemp("weights") / "features.safetensors"
    save_bundle(path, Bundle({"features": network}))
    return path


def read(path):
    content = json.loads(path.read_text())
    return {figure["metric"]: figure for figure in content["figures"]}, content["pictures"]


def test_figures_are_printed_and_kept(folders, tmp_path, capsys):
    assert sfe("compare", *folders, "-o", tmp_path / "found.json") == 0
    figures, pictures = read(tmp_path / "found.json")
    assert figures["L2"]["value"] == pytest.approx(0.4**2, rel=1e-5)
    assert figures.keys() == {"L2", "MS-SSIM", "SSIM"}
    assert pictures["1"]["L2"] == pytest.approx(0.4**2, rel=1e-5)
    assert "| L2 ↓ | 0.16 ± " in capsys.readouterr().out


def test_networks_of_a_bundle_judge_too(folders, weights, tmp_path, capsys):
    first, _ = folders
    assert sfe("compare", first, first, "-w", weights, "-o", tmp_path / "found.json") == 0
    figures, _ = read(tmp_path / "found.json")
    names = ("feature distance", "identity", "Fréchet distance of features")
    assert [figures[name]["value"] for name in names] == pytest.approx([0, 1, 0], abs=1e-5)
    assert "of 3 pictures depends on their number" in capsys.readouterr().out


def test_sizes_are_those_asked_for(folders, tmp_path):
    assert sfe("compare", *folders, "--size", 16, "-o", tmp_path / "found.json") == 0
    figures, _ = read(tmp_path / "found.json")
    assert figures["L2"]["resize"] == "16, Pillow's bilinear"
    assert figures["MS-SSIM"]["resize"] == "none"


@pytest.mark.filterwarnings("default")
def test_pictures_without_an_original_are_said_and_left_out(folders, tmp_path, capsys):
    write_folder(folders[1], {"more.png": png(noise(SIDE, SIDE, 3))})
    assert sfe("compare", *folders, "-o", tmp_path / "found.json") == 0
    assert len(read(tmp_path / "found.json")[1]) == 3
    said = capsys.readouterr().err
    assert "b: 1 pictures have no original, such as 'more'; left out\n" in said


def test_original_without_a_picture_is_named(folders, capsys):
    (folders[1] / "2.png").unlink()
    said = refused(capsys, "compare", *folders)
    assert "b: has no picture for '2', of any suffix; it holds 2" in said


@pytest.mark.parametrize("picture", ["inversion.png", "smile +3"])
def test_picture_in_folders_named_like_the_originals_is_compared(folders, tmp_path, picture):
    content = files(3, change=51)
    for number in range(3):
        made = dict.fromkeys(("inversion.png", "smile +3.png"), content[f"{number}.png"])
        write_folder(tmp_path / "out" / str(number), {**made, "strip.png": b"no picture"})
    options = ("--picture", picture, "-o", tmp_path / "found.json")
    assert sfe("compare", folders[0], tmp_path / "out", *options) == 0
    figures, pictures = read(tmp_path / "found.json")
    assert figures["L2"]["value"] == pytest.approx(0.4**2, rel=1e-5)
    assert pictures.keys() == {"0", "1", "2"}


@pytest.mark.parametrize("options", [(), ("--picture", "smile")])
def test_folders_of_results_without_the_picture_asked_for_tell_how_to_name_it(
    folders, tmp_path, capsys, options
):
    out = write_folder(tmp_path / "out", {f"{n}/inversion.png": b"" for n in range(3)})
    said = refused(capsys, "compare", folders[0], out, *options)
    assert "has no picture for any original, such as '0'; it holds '0/inversion.png'" in said
    assert "set --picture to that in each, such as inversion.png" in said


def test_picture_of_another_size_is_named(folders, capsys):
    write_folder(folders[1], {"1.png": png(noise(40, 40, 3))})
    said = refused(capsys, "compare", *folders)
    assert "1.png: is 40 x 40; required is 32 x 32" in said


def test_originals_of_several_sizes_are_named(folders, capsys):
    write_folder(folders[0], {"1.png": png(noise(40, 40, 3))})
    said = refused(capsys, "compare", *folders)
    assert "1.png: is 40 x 40, and" in said


def test_unreadable_picture_is_named(folders, capsys):
    (folders[1] / "1.png").write_bytes(b"no picture")
    assert "1.png" in refused(capsys, "compare", *folders)


def test_weights_of_another_kind_are_named(folders, tmp_path, capsys):
    module = Generator(channels=(8, 8), z_dim=4, w_dim=4, mapping_layers=1)
    network = Network(module, random_variables(module, np.random.default_rng(0)))
    save_bundle(tmp_path / "wrong.safetensors", Bundle({"features": network}))
    said = refused(capsys, "compare", *folders, "-w", tmp_path / "wrong.safetensors")
    assert "wrong.safetensors: 'features' is a Generator; required is LPIPS" in said


@pytest.mark.parametrize(
    ("option", "least"), [("--batch", 1), ("--size", 0), ("--ms-ssim-size", 0)]
)
def test_number_that_is_too_small_is_refused(folders, capsys, option, least):
    said = refused(capsys, "compare", *folders, option, least - 1)
    assert f"{option} is {least - 1}; required is at least {least}" in said
