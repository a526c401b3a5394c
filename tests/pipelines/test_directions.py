"""Fits on a small generator, whose pictures are judged by their colours."""

from functools import cache

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError, ShapeError
from sfe_jax.edits.fitting.options import FitOptions
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.directions import as_bundle, fit_directions
from tests.models.networks import C, W, generator

COUNT = 200

NARROW = (5, 4)
"""Channels at 4 and 8, driven by four rows of W+."""


class Colours(nn.Module):
    """Stands for a network of attributes: how red, green and blue pictures are."""

    attribute_names: tuple[str, ...] = ("red", "green", "blue")

    @nn.compact
    def __call__(self, images):
        return {"attributes": jnp.mean(images, axis=(1, 2))}


PLAIN = Bundle({"generator": Network(*generator(channels=NARROW))}, path="folder/own.safetensors")
JUDGED = Bundle({**PLAIN.networks, "features": Network(Colours(), {})})


def fit(bundle, method="regression", **options):
    given = {name: options.pop(name) for name in ("codes", "scores", "bar") if name in options}
    small = {"samples": COUNT, "reach": 1, "batch_size": 50}
    return fit_directions(bundle, FitOptions(method, **small | options), **given)


@cache
def colours():
    """What regression finds with all that is scored."""
    return fit(JUDGED)


@pytest.fixture
def own():
    """Codes [COUNT, W], the scores of a linear attribute, and its normal [W]."""
    rng = np.random.default_rng(0)
    codes, normal = rng.standard_normal((COUNT, W)), rng.standard_normal(W)
    return codes, (codes @ normal)[:, None], normal / np.linalg.norm(normal)


@pytest.mark.parametrize("method", ["regression", "interfacegan"])
def test_own_scores_give_the_known_normal(own, method):
    codes, scores, normal = own
    options = {"attributes": ("smile",), "share": 0.2, "codes": codes, "scores": scores}
    (found,) = fit(PLAIN, method, **options)
    assert found.direction.name == "smile"
    assert found.arrays["fitted/smile"][0] @ normal > 0.95


def test_scored_pictures_give_a_direction_per_attribute():
    assert [entry.direction.name for entry in colours()] == ["red", "green", "blue"]


def test_scored_pictures_give_a_measured_range():
    assert [(entry.direction.low, entry.direction.high) for entry in colours()] == [(-1, 1)] * 3


def test_the_measured_curve_rises_along_its_direction():
    facts = colours()[0].facts
    assert facts["strengths"] == [-1, -0.5, 0, 0.5, 1]
    assert (np.diff(facts["mean_scores"]["red"]) > 0).all()


def test_named_attributes_alone_are_fitted():
    found = fit(JUDGED, attributes=("green",), preserve=("red",))
    assert [entry.direction.positive for entry in found] == ["raises green, orthogonal to red"]


def test_least_change_raises_a_colour_and_leaves_the_others():
    (found,) = fit(JUDGED, "least-change", attributes=("red",), preserve=("green", "blue"))
    assert (found.direction.name, found.direction.method) == ("red", "least change")
    assert found.direction.low < 0 < found.direction.high
    assert found.arrays["fitted/red"].shape == (4, W)


@pytest.mark.parametrize("method", ["ganspace", "sefa"])
def test_components_are_described_by_their_attributes(method):
    found = [entry.direction for entry in fit(JUDGED, method, components=2)]
    assert [direction.name for direction in found] == [f"{method}0", f"{method}1"]
    assert all(direction.positive.startswith("raises ") for direction in found)


@pytest.mark.parametrize("method", ["ganspace", "sefa"])
def test_components_need_no_scores(method):
    found = [entry.direction for entry in fit(PLAIN, method, components=2)]
    ranges = [(direction.positive, direction.range) for direction in found]
    assert ranges == [("", "not documented")] * 2


def test_rows_restrict_what_moves():
    (found,) = fit(PLAIN, "sefa", components=1, moved_rows=(1, 2))
    moved = found.arrays["fitted/sefa0"].any(axis=1).tolist()
    assert moved == [False, True, True, False]


def means(bundle, **options):
    (found,) = fit(bundle, "ganspace", components=1, **options)
    return found.arrays["fitted/ganspace/mean"]


def test_the_same_seed_gives_the_same_directions():
    np.testing.assert_array_equal(means(PLAIN, seed=1), means(PLAIN, seed=1))


def test_a_conditional_generator_is_sampled_in_a_class():
    bundle = Bundle({"generator": Network(*generator(channels=NARROW, c_dim=C))})
    first, second = (means(bundle, class_index=index) for index in (0, 1))
    assert not np.allclose(first, second)


def test_directions_say_on_what_they_were_fitted():
    (found,) = fit(PLAIN, "ganspace", components=1)
    assert found.direction.source == "fitted on 200 codes of own.safetensors"


def test_a_bar_sees_batches_and_strengths():
    seen = []

    def bar(items, what):
        seen.append((what, len(items)))
        return items

    fit(JUDGED, attributes=("red",), bar=bar)
    assert seen == [("scoring pictures", 4), ("range of red", 5)]


def test_a_bundle_of_directions_holds_their_arrays():
    bundle = as_bundle(colours())
    assert [record.rule.array for record in bundle.records] == list(bundle.directions)


@pytest.mark.parametrize(
    ("codes", "scores"),
    [((COUNT, W + 1), (COUNT, 1)), ((COUNT, W), (COUNT, 2)), ((COUNT, W), (3, 1))],
)
def test_arrays_of_another_shape_are_refused(codes, scores):
    given = {"codes": np.zeros(codes), "scores": np.zeros(scores)}
    with pytest.raises(ShapeError, match="required is"):
        fit(PLAIN, attributes=("smile",), **given)


@pytest.mark.parametrize("options", [{"method": "svm"}, {"precision": "float16"}])
def test_words_that_are_no_choices_are_refused(options):
    with pytest.raises(OptionError, match="required is one of"):
        FitOptions(**options)
