"""A whole evaluation of a small encoder and of a folder of another program's pictures."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from sfe_jax.core.errors import EditError, FileFormatError, ImageError, OptionError, WeightsError
from sfe_jax.core.images import load_image
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.evaluation import start
from sfe_jax.evaluation.measuring import SECONDS, open_pictures
from sfe_jax.evaluation.pair_metrics import PairOptions
from sfe_jax.evaluation.recipe import (
    AttributeEdit,
    EditingOptions,
    EvaluationRecipe,
    PictureOptions,
)
from sfe_jax.evaluation.start import evaluate
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines.bundle import Bundle, save_bundle
from sfe_jax.pipelines.random_bundle import random_bundle
from tests.data.pictures import write_folder
from tests.evaluation.pictures import noise_files

ROWS, W, SIZE, COUNT = 8, 16, 32, 9
FRECHET = "Fréchet distance of features"


def small_networks():
    """A generator of 32x32, its encoder, and a network that judges."""
    body = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
    modules = {
        "generator": Generator(channels=(8, 8, 8, 8), z_dim=W, w_dim=W, mapping_layers=1),
        "e4e": E4eEncoder(num_styles=ROWS, w_dim=W, input_size=SIZE, **body),
        "features": FaceFeatures(("smile",), channels=(4, 4, 4, 4)),
    }
    vector = np.ones((ROWS, W), np.float32)
    smile = Direction("smile", "fitted", Linear("fitted/smile", 1.0), -2.0, 2.0, "", "")
    networks = random_bundle(modules, seed=0).networks
    return Bundle(networks, {"fitted/smile": vector}, records=(smile,))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Weights, labelled pictures, and a folder of pictures that are the originals."""
    folder = tmp_path_factory.mktemp("evaluation")
    save_bundle(folder / "small.safetensors", small_networks())
    files = noise_files(COUNT, SIZE)
    labels = [[name, index % 2] for index, name in enumerate(files)]
    write_folder(folder / "pictures", files, labels)
    write_folder(folder / "other" / "inversion", files)
    return folder


@pytest.fixture(scope="module")
def recipe(place):
    return EvaluationRecipe(
        name="small",
        weights=(str(place / "small.safetensors"),),
        data=PictureOptions(
            source=str(place / "pictures"), label_names=("plain", "smiling"), threads=0
        ),
        evaluators=("inversion", "editing"),
        folders=(f"other={place / 'other'}",),
        features="features",
        pairs=PairOptions(size=0, ms_ssim_size=0, perceptual="features", identity="features"),
        editing=EditingOptions(edits=(AttributeEdit("smile", "smiling"),)),
        worst=2,
        batch_size=4,
        devices=1,
        cache=str(place / "cache"),
    )


def run(recipe, folder):
    """`evaluate` on one device of the eight."""
    with pytest.MonkeyPatch.context() as patch:
        one = jax.devices()[:1]
        make = start.make_mesh
        patch.setattr(start, "make_mesh", lambda data: make(data=data, devices=one))
        patch.setattr(start, "keep_compiled", lambda: None)
        return evaluate(recipe, folder)


@pytest.fixture(scope="module")
def results(recipe, place):
    run(recipe, place / "results")
    return place / "results"


@pytest.fixture(scope="module")
def found(results):
    """(evaluator, method, metric) -> line of the log."""
    lines = map(json.loads, (results / "results.jsonl").read_text().splitlines())
    return {(line["evaluator"], line["method"], line["metric"]): line for line in lines}


def test_perfect_inversions_of_another_program_have_perfect_figures(found):
    metrics = ("feature distance", "L2", "MS-SSIM", "SSIM", "identity", FRECHET)
    values = [found["inversion", "other", metric]["value"] for metric in metrics]
    assert values == pytest.approx([0, 0, 1, 1, 1, 0], abs=1e-5)


def test_method_is_measured_and_timed(found):
    assert found["inversion", "e4e", "L2"]["value"] > 0.01
    assert found["inversion", "e4e", SECONDS]["value"] > 0
    assert found["editing", "e4e", SECONDS]["edit"] == "smile+"


def test_pictures_without_the_attribute_are_compared_with_those_that_have_it(found):
    line = found["editing", "e4e", FRECHET]
    assert (line["count"], line["target_count"]) == (5, 4)


def test_pictures_as_they_were_stand_beside_the_edits(found):
    assert found["editing", "(unedited)", FRECHET]["value"] > 0


def test_every_figure_carries_its_provenance(found):
    for line in found.values():
        assert line["count"] > 0
        assert line["resize"]
        assert line["seconds"] > 0
    line = found["inversion", "e4e", FRECHET]
    assert (len(line["weights"]), len(line["network"])) == (64, 64)
    assert line["warning"].startswith("Fréchet distance of features of 9 pictures")


def test_page_says_what_was_not_measured(results):
    text = (results / "report.md").read_text()
    assert "- not measured: other has no folder `smile+`\n" in text
    assert "![worst inversions of e4e](worst_e4e.png)\n" in text


def test_worst_pictures_stand_above_their_inversions(results):
    sheet = load_image(results / "worst_other.png")
    (height, width), side = sheet.shape[:2], 192
    assert height > 2 * side
    assert width > 2 * side
    np.testing.assert_array_equal(sheet[-side:, -side:], sheet[-2 * side - 2 : -side - 2, -side:])


def test_plot_is_of_who_was_measured_in_both(results):
    assert "![feature distance of inversions against" in (results / "report.md").read_text()
    assert (results / "inversion_editing.png").exists()


# Bad input.


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"evaluators": ("inversions",)}, OptionError, "`evaluators` holds 'inversions'; required"),
        ({"methods": ("sfe",)}, WeightsError, "no 'inverter' in this bundle; it holds e4e"),
        ({"methods": ("hfgi",)}, OptionError, "method 'hfgi' is unknown; choose from sfe"),
        ({"features": "fid_inception"}, WeightsError, "no 'fid_inception' in this bundle"),
        ({"features": "e4e"}, WeightsError, "'e4e' is a E4eEncoder, whose features are not for"),
        ({"weights": ("nowhere",)}, FileFormatError, "nowhere: no such file"),
        ({"batch_size": 0}, OptionError, "`batch_size` is 0; required is at least 1"),
        ({"folders": ("e4e=.",)}, OptionError, "participants are e4e, e4e; required are different"),
        ({"folders": ("other",)}, OptionError, "`folders` holds 'other'; required is NAME=FOLDER"),
    ],
)
def test_recipe_that_cannot_be_used_is_refused(recipe, tmp_path, changes, error, match):
    with pytest.raises(error, match=match):
        run(replace(recipe, **changes), tmp_path)


def test_pictures_of_another_size_than_the_generator_are_refused(recipe, tmp_path):
    data = replace(recipe.data, resolution=64)
    with pytest.raises(OptionError, match=r"`data.resolution` is 64; required is 32, that of"):
        run(replace(recipe, data=data), tmp_path)


def test_more_pictures_than_there_are_cannot_be_measured(recipe):
    with pytest.raises(ImageError, match=r"holds 9 pictures; `data\.count` asks for 10"):
        open_pictures(replace(recipe.data, count=10), resolution=32)


@pytest.mark.parametrize(
    ("edit", "error", "match"),
    [
        (AttributeEdit("smile", "smilin"), OptionError, "no attribute 'smilin'; nearest: smiling"),
        (AttributeEdit("smille", "smiling"), EditError, "edit `smille` is unknown; nearest: smile"),
    ],
)
def test_edit_that_cannot_be_measured_is_refused(recipe, tmp_path, edit, error, match):
    changed = replace(recipe, evaluators=("editing",), editing=EditingOptions((edit,)))
    with pytest.raises(error, match=match):
        run(changed, tmp_path)


def test_domain_that_is_unknown_is_refused(recipe, tmp_path):
    editing = replace(recipe.editing, domain="cats")
    with pytest.raises(OptionError, match=r"`editing\.domain` is 'cats'; required is one of faces"):
        run(replace(recipe, evaluators=("editing",), editing=editing), tmp_path)


def test_batch_that_the_devices_cannot_share_is_refused(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "keep_compiled", lambda: None)
    with pytest.raises(OptionError, match="`batch_size` is 4; required is a multiple of the 8"):
        evaluate(replace(recipe, devices=-1), tmp_path)


def test_folder_that_cannot_be_written_is_named(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"file/results: cannot be written \(Not a directory\)"):
        run(recipe, tmp_path / "file" / "results")
