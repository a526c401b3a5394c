import json

import numpy as np
import pytest

from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.edits.fitting.directions import Fitted
from sfe_jax.edits.prepare import operands_for
from sfe_jax.pipelines import directions
from sfe_jax.pipelines.bundle import load_bundle
from tests.cli.running import picture, pixels, refused, sfe

COUNT = 200


@pytest.fixture
def own(tmp_path):
    """Codes [COUNT, 5] and the scores of a linear attribute, on disk; its normal [5]."""
    rng = np.random.default_rng(0)
    codes, normal = rng.standard_normal((COUNT, 5)), rng.standard_normal(5)
    np.save(tmp_path / "codes.npy", codes)
    np.save(tmp_path / "scores.npy", codes @ normal)
    return tmp_path / "codes.npy", tmp_path / "scores.npy", normal / np.linalg.norm(normal)


def fit(weights, out, *arguments):
    """Runs the command; its directions and arrays."""
    assert sfe("fit-directions", "-w", weights, "-o", out, *arguments) == 0
    found = load_bundle(out)
    return found.records, found.directions


SMALL = ("--samples", COUNT, "--reach", 1, "--batch", 50)


def test_the_written_direction_moves_codes_by_its_vector(generator_weights, own, tmp_path):
    options = ("--codes", own[0], "--scores", own[1], "--attribute", "smile")
    (direction,), arrays = fit(generator_weights, tmp_path / "own.safetensors", *options)
    operands = operands_for(direction, arrays, num_ws=6, w_dim=5, style_channels={})
    step = np.std(np.load(own[0]) @ own[2])
    np.testing.assert_allclose(operands.shift[0], np.tile(step * own[2], (6, 1)), atol=0.05)


def test_pictures_are_scored_by_the_network_of_the_bundle(weights, tmp_path):
    (direction,), _ = fit(weights, tmp_path / "own.safetensors", *SMALL)
    (report,) = json.loads((tmp_path / "own.json").read_text())
    assert (direction.name, report["strengths"]) == ("smile", [-1, -0.5, 0, 0.5, 1])
    assert report["mean_scores"].keys() == {"smile"}


def test_codes_of_w_plus_with_equal_rows_can_be_fitted(generator_weights, own, tmp_path):
    np.save(tmp_path / "ws.npy", np.load(own[0])[:, None].repeat(6, axis=1))
    options = ("--method", "ganspace", "--components", 2, "--codes", tmp_path / "ws.npy")
    found, _ = fit(generator_weights, tmp_path / "own.safetensors", *options)
    assert found[0].source == "fitted on 200 codes of generator.safetensors"


def test_the_file_is_a_bundle_without_networks(generator_weights, tmp_path):
    out = tmp_path / "own.safetensors"
    fit(generator_weights, out, *SMALL, "--method", "ganspace", "--components", 2)
    found = load_bundle(out)
    assert (found.networks, found.sources[0].name) == ({}, "generator.safetensors")


def test_pictures_are_edited_along_a_fitted_direction(psp_weights, tmp_path):
    codes = np.random.default_rng(0).standard_normal((COUNT, 32))
    np.save(tmp_path / "codes.npy", codes)
    np.save(tmp_path / "scores.npy", codes[:, 0])
    own = tmp_path / "own.safetensors"
    options = ("--codes", tmp_path / "codes.npy", "--scores", tmp_path / "scores.npy")
    fit(psp_weights, own, *options, "--attribute", "freckles")
    face = picture(tmp_path / "face.png")
    arguments = ("-w", psp_weights, "--directions", own, "-e", "freckles=0,2", "-o", tmp_path)
    assert sfe("edit", face, *arguments) == 0
    still, moved = (pixels(tmp_path / "face" / f"freckles {s}.png") for s in ("+0", "+2"))
    assert (still != moved).any()


def test_a_direction_that_does_not_raise_its_attribute_is_warned_of(
    capsys, generator_weights, tmp_path, monkeypatch
):
    flat = Direction("smile", "regression", Linear("fitted/smile", 1.0), 0.0, 0.0, "", "")
    found = [Fitted(flat, {"fitted/smile": np.ones((1, 5), np.float32)}, "smile")]
    monkeypatch.setattr(directions, "fit_directions", lambda *_, **__: found)
    fit(generator_weights, tmp_path / "own.safetensors")
    assert "warning: smile does not raise smile at strength 0" in capsys.readouterr().err


def refusal(capsys, weights, *arguments):
    return refused(capsys, "fit-directions", "-w", weights, *arguments)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "or --codes with --scores and --attribute; ganspace and sefa do without"),
        (("--attribute", "smile"), "attribute 'smile' is not scored; scored are none"),
        (("--batch", 0), "--batch is 0"),
        (("--samples", 0), "--samples 0"),
        (("--reach", 0), "--reach is 0"),
        (("--scores", "a.npy"), "--scores is given without --codes"),
        (("--method", "sefa", "--preserve", "age"), "--preserve goes with regression"),
        (("--method", "sefa", "--rows", 3, 6), "--rows is 3 6; this generator has rows 0 to 5"),
        (("--method", "sefa", "--components", 6), "required is 1 to 5"),
        (("-o", "own.pt"), "required is a name ending in .safetensors"),
    ],
)
def test_options_that_do_not_fit_are_refused(capsys, generator_weights, arguments, part):
    assert part in refusal(capsys, generator_weights, *SMALL, *arguments)


def test_an_unknown_attribute_is_answered_with_those_that_are_scored(capsys, weights):
    message = refusal(capsys, weights, *SMALL, "--attribute", "age")
    assert "attribute 'age' is not scored; scored are smile" in message


def test_preserving_everything_is_refused(capsys, weights):
    message = refusal(capsys, weights, *SMALL, "--preserve", "smile")
    assert "--preserve has all of smile; leave one to fit" in message


def test_scores_of_another_number_are_refused(capsys, generator_weights, own, tmp_path):
    np.save(tmp_path / "few.npy", np.zeros(3))
    options = ("--codes", own[0], "--scores", tmp_path / "few.npy", "--attribute", "smile")
    message = refusal(capsys, generator_weights, *options)
    assert "few.npy: scores have shape (3, 1); required is (200, 1)" in message


@pytest.mark.parametrize("shape", [(20, 4), (20, 6, 5)])
def test_codes_of_another_shape_are_refused(capsys, generator_weights, tmp_path, shape):
    np.save(tmp_path / "codes.npy", np.random.default_rng(0).standard_normal(shape))
    options = ("--method", "ganspace", "--codes", tmp_path / "codes.npy")
    message = refusal(capsys, generator_weights, *options)
    assert f"codes.npy: codes have shape {shape}; required is (N, 5)" in message


@pytest.mark.parametrize("option", ["--scores", "--rows"])
def test_least_change_refuses_what_it_does_not_use(capsys, weights, own, option):
    codes, scores, _ = own
    given = (scores, "--codes", codes) if option == "--scores" else (0, 1)
    message = refusal(capsys, weights, "--method", "least-change", option, *given)
    assert "leave out --scores and --rows" in message
