import dataclasses
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.edits.prepare import operands_for
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines import bundle as bundles
from tests.cli.running import picture, pixels, refused, sfe

COUNT = 200

LOAD = bundles.load_bundle
"""As it is before a test puts another in its place."""


class Colours(nn.Module):
    """Stands for a network of attributes: how red, green and blue pictures are."""

    attribute_names: tuple[str, ...] = ("red", "green", "blue")

    @nn.compact
    def __call__(self, images):
        return {"attributes": jnp.mean(images, axis=(1, 2))}


@pytest.fixture
def judged_weights(generator_weights, monkeypatch):
    """A bundle of a generator and a network that scores colours."""
    found = bundles.load_bundle(generator_weights)
    networks = {**found.networks, "features": bundles.Network(Colours(), {})}
    judged = dataclasses.replace(found, networks=networks)
    monkeypatch.setattr(bundles, "load_bundle", lambda path, roles: judged)
    return generator_weights


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
    found = LOAD(out)
    return found.records, found.directions


SMALL = ("--samples", COUNT, "--reach", 1, "--batch", 50)


@pytest.mark.parametrize("method", ["regression", "interfacegan"])
def test_own_scores_give_the_known_normal(generator_weights, own, tmp_path, method):
    codes, scores, normal = own
    options = ("--method", method, "--codes", codes, "--scores", scores, "--attribute", "smile")
    out = tmp_path / "own.safetensors"
    directions, arrays = fit(generator_weights, out, *options, "--share", 0.2)
    assert [direction.name for direction in directions] == ["smile"]
    assert arrays["fitted/smile"][0] @ normal > 0.95


def test_the_written_direction_moves_codes_by_its_vector(generator_weights, own, tmp_path):
    options = ("--codes", own[0], "--scores", own[1], "--attribute", "smile")
    (direction,), arrays = fit(generator_weights, tmp_path / "own.safetensors", *options)
    operands = operands_for(direction, arrays, num_ws=6, w_dim=5, style_channels={})
    step = np.std(np.load(own[0]) @ own[2])
    np.testing.assert_allclose(operands.shift[0], np.tile(step * own[2], (6, 1)), atol=0.05)


def test_scored_pictures_give_a_direction_per_attribute(judged_weights, tmp_path):
    directions, _ = fit(judged_weights, tmp_path / "own.safetensors", *SMALL)
    assert [direction.name for direction in directions] == ["red", "green", "blue"]


def test_network_of_face_features_scores_pictures(generator_weights, tmp_path):
    module = FaceFeatures(("smile", "age"), (4, 4, 4), embedding_size=2)
    variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    network = bundles.Network(module, variables)
    bundle = bundles.load_bundle(generator_weights)
    weights = tmp_path / "weights.safetensors"
    networks = {**bundle.networks, "features": network}
    bundles.save_bundle(weights, dataclasses.replace(bundle, networks=networks))
    directions, _ = fit(weights, tmp_path / "own.safetensors", *SMALL)
    assert [direction.name for direction in directions] == ["smile", "age"]


def test_named_attributes_alone_are_fitted(judged_weights, tmp_path):
    options = (*SMALL, "--attribute", "green", "--preserve", "red")
    directions, _ = fit(judged_weights, tmp_path / "own.safetensors", *options)
    assert [direction.positive for direction in directions] == ["raises green, orthogonal to red"]


def test_scored_pictures_give_a_measured_range(judged_weights, tmp_path):
    options = (*SMALL, "--attribute", "red")
    (direction,), _ = fit(judged_weights, tmp_path / "own.safetensors", *options)
    assert (direction.low, direction.high) == (-1, 1)


def test_the_measured_curve_rises_along_its_direction(judged_weights, tmp_path):
    fit(judged_weights, tmp_path / "own.safetensors", *SMALL, "--attribute", "red")
    (report,) = json.loads((tmp_path / "own.json").read_text())
    assert report["strengths"] == [-1, -0.5, 0, 0.5, 1]
    assert (np.diff(report["mean_scores"]["red"]) > 0).all()


@pytest.mark.parametrize("method", ["ganspace", "sefa"])
def test_components_are_described_by_their_attributes(judged_weights, tmp_path, method):
    options = (*SMALL, "--method", method, "--components", 2)
    directions, _ = fit(judged_weights, tmp_path / "own.safetensors", *options)
    assert [direction.name for direction in directions] == [f"{method}0", f"{method}1"]
    assert all(direction.positive.startswith("raises ") for direction in directions)


@pytest.mark.parametrize("method", ["ganspace", "sefa"])
def test_components_need_no_scores(generator_weights, tmp_path, method):
    options = (*SMALL, "--method", method, "--components", 2)
    directions, _ = fit(generator_weights, tmp_path / "own.safetensors", *options)
    ranges = [(direction.positive, direction.range) for direction in directions]
    assert ranges == [("", "not documented")] * 2


def test_rows_restrict_what_moves(generator_weights, tmp_path):
    options = (*SMALL, "--method", "sefa", "--components", 1, "--rows", 1, 2)
    _, arrays = fit(generator_weights, tmp_path / "own.safetensors", *options)
    assert arrays["fitted/sefa0"].any(axis=1).tolist() == [False, True, True, False, False, False]


def test_the_same_seed_gives_the_same_directions(generator_weights, tmp_path):
    options = (*SMALL, "--method", "ganspace", "--components", 2)
    files = [tmp_path / f"{name}.safetensors" for name in "ab"]
    first, second = (fit(generator_weights, file, *options)[1] for file in files)
    np.testing.assert_array_equal(
        first["fitted/ganspace/components"], second["fitted/ganspace/components"]
    )


def test_codes_of_w_plus_with_equal_rows_can_be_fitted(generator_weights, own, tmp_path):
    np.save(tmp_path / "ws.npy", np.load(own[0])[:, None].repeat(6, axis=1))
    options = ("--method", "ganspace", "--components", 2, "--codes", tmp_path / "ws.npy")
    directions, _ = fit(generator_weights, tmp_path / "own.safetensors", *options)
    assert directions[0].source == "fitted on 200 codes of generator.safetensors"


def test_a_conditional_generator_is_sampled_in_a_class(conditional_weights, tmp_path):
    options = (*SMALL, "--method", "ganspace", "--components", 2)
    files = [tmp_path / f"{name}.safetensors" for name in "ab"]
    means = [
        fit(conditional_weights, file, *options, "--class", index)[1]["fitted/ganspace/mean"]
        for index, file in enumerate(files)
    ]
    assert not np.allclose(means[0], means[1])


def test_the_file_is_a_bundle_without_networks(generator_weights, tmp_path):
    out = tmp_path / "own.safetensors"
    fit(generator_weights, out, *SMALL, "--method", "ganspace", "--components", 2)
    found = bundles.load_bundle(out)
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


def refusal(capsys, weights, *arguments):
    return refused(capsys, "fit-directions", "-w", weights, *arguments)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "--method regression needs scores"),
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


def test_an_unknown_attribute_is_answered_with_those_that_are_scored(capsys, judged_weights):
    message = refusal(capsys, judged_weights, *SMALL, "--attribute", "smile")
    assert "attribute 'smile' is not scored; scored are red, green, blue" in message


def test_preserving_everything_is_refused(capsys, judged_weights):
    options = (*SMALL, "--attribute", "red", "--preserve", "red")
    assert "--preserve has all of red; leave one to fit" in refusal(
        capsys, judged_weights, *options
    )


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


def test_least_change_raises_a_colour_and_leaves_the_others(judged_weights, tmp_path):
    arguments = ("--method", "least-change", "--attribute", "red", "--preserve", "green", "blue")
    records, arrays = fit(judged_weights, tmp_path / "own.safetensors", *arguments, *SMALL)
    (record,) = records
    assert (record.name, record.method) == ("red", "least change")
    assert record.low < 0 < record.high
    assert arrays["fitted/red"].ndim == 2


@pytest.mark.parametrize("option", ["--scores", "--rows"])
def test_least_change_refuses_what_it_does_not_use(judged_weights, own, option, capsys):
    codes, scores, _ = own
    given = (scores, "--codes", codes) if option == "--scores" else (0, 1)
    arguments = ("--method", "least-change", "--attribute", "red", option, *given)
    text = refused(capsys, "fit-directions", "-w", judged_weights, *arguments)
    assert "leave out --scores and --rows" in text
