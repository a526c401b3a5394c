import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.edits.fitting.attributes import Fit
from sfe_jax.edits.fitting.directions import (
    Samples,
    attribute_directions,
    ganspace_directions,
    orient,
    sefa_directions,
    with_range,
)
from sfe_jax.edits.fitting.ganspace import principal_components
from sfe_jax.edits.operands import apply_to_ws
from sfe_jax.edits.prepare import operands_for

AXES = np.eye(3)
ALL = range(4)
STRENGTHS = np.arange(-4.0, 5.0)


@pytest.fixture(scope="module")
def samples():
    """Codes of standard deviations 3, 2 and 1; attributes "up" = w0 and "down" = -w1."""
    codes = np.random.default_rng(0).standard_normal((5000, 3)) * [3, 2, 1]
    scores = np.stack([codes[:, 0], -codes[:, 1]], axis=1)
    return Samples(codes, scores, ("up", "down"), "synthetic")


def _move(fitted, strength, ws=None):
    """What an edit adds to ws [1, 4, 3]."""
    ws = jnp.zeros((1, 4, 3)) if ws is None else jnp.asarray(ws, jnp.float32)
    options = {"num_ws": 4, "w_dim": 3, "style_channels": {}}
    operands = operands_for(fitted.direction, fitted.arrays, **options)
    return np.asarray(apply_to_ws(ws, operands, jnp.full(1, strength, jnp.float32)) - ws)[0]


def _fits(**normals):
    return {name: Fit(np.array(normal, float), 0.9) for name, normal in normals.items()}


def _attribute(samples, fits, preserve=(), rows=ALL):
    return attribute_directions(
        fits, samples, preserve=preserve, method="regression", rows=rows, num_ws=4
    )


def test_a_unit_of_strength_is_a_standard_deviation_of_the_codes(samples):
    (fitted,) = _attribute(samples, _fits(up=AXES[0]))
    np.testing.assert_allclose(_move(fitted, 2), np.tile([6, 0, 0], (4, 1)), rtol=0.05)


def test_only_chosen_rows_move(samples):
    (fitted,) = _attribute(samples, _fits(up=AXES[0]), rows=range(1, 3))
    np.testing.assert_array_equal(_move(fitted, 1).any(axis=1), [False, True, True, False])


def test_directions_are_named_after_their_attributes(samples):
    found = [fitted.direction.name for fitted in _attribute(samples, _fits(up=AXES[0], x=AXES[1]))]
    assert found == ["up", "x"]


def test_preserved_attributes_are_left_alone(samples):
    (fitted,) = _attribute(samples, _fits(up=[0.6, 0.8, 0], down=AXES[1]), preserve=["down"])
    np.testing.assert_allclose(_move(fitted, 1)[0, 1:], 0, atol=1e-6)


def test_vectors_turn_towards_the_attribute_that_goes_with_them(samples):
    vectors, attributes, meanings = orient(np.array([AXES[1], AXES[0]]), samples)
    np.testing.assert_array_equal(vectors, [-AXES[1], AXES[0]])
    assert attributes == ["down", "up"]
    assert meanings[0] == "raises down (correlation 1.00)"


def test_vectors_stay_without_scores(samples):
    bare = Samples(samples.codes, np.zeros((5000, 0)), (), "")
    vectors, attributes, meanings = orient(AXES, bare)
    np.testing.assert_array_equal(vectors, AXES)
    assert (attributes, meanings) == ([None] * 3, [""] * 3)


def test_ganspace_sets_the_coordinate_in_standard_deviations(samples):
    parts = principal_components(samples.codes, 3)
    second = ganspace_directions(parts, samples, rows=ALL)[1]  # Along -w1, where "down" rises.
    ws = np.random.default_rng(1).standard_normal((1, 1, 3)).repeat(4, axis=1)
    edited = ws[0, 0] + _move(second, 1.5, ws)[0]
    component = second.arrays["fitted/ganspace/components"][1]
    coordinate = (edited - parts["mean"]) @ component / parts["std"][1]
    assert coordinate == pytest.approx(1.5, rel=1e-4)
    assert component[1] < -0.99


def test_sefa_directions_are_numbered_and_described(samples):
    found = sefa_directions(AXES[:2], samples, rows=ALL, num_ws=4)
    names = [(fitted.direction.name, fitted.attribute) for fitted in found]
    assert names == [("sefa0", "up"), ("sefa1", "down")]


def test_range_ends_where_the_mean_leaves_the_samples(samples):
    """Along w0 the mean rises by 3 per unit; 98 percent of a normal lie below 2.05 deviations."""
    (fitted,) = _attribute(samples, _fits(up=AXES[0]))
    curve = np.stack([3 * STRENGTHS, 0 * STRENGTHS], axis=1)
    ranged = with_range(fitted, samples, STRENGTHS, curve)
    assert (ranged.direction.low, ranged.direction.high) == (-2, 2)


def test_range_keeps_the_curves_of_every_attribute(samples):
    (fitted,) = _attribute(samples, _fits(up=AXES[0]))
    curve = np.stack([3 * STRENGTHS, 0 * STRENGTHS], axis=1)
    facts = with_range(fitted, samples, STRENGTHS, curve).facts
    assert facts["mean_scores"] == {"up": curve[:, 0].tolist(), "down": curve[:, 1].tolist()}


def test_range_is_refused_for_an_attribute_without_scores(samples):
    (fitted,) = _attribute(samples, _fits(other=AXES[0]))
    with pytest.raises(OptionError, match="one of up, down"):
        with_range(fitted, samples, STRENGTHS, np.zeros((9, 2)))
