import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.edits.fitting.strengths import measure_curve, usable_range
from sfe_jax.edits.operands import identity

STRENGTHS = np.arange(-4.0, 5.0)


def test_curve_is_the_mean_score_of_edited_codes():
    shift = jnp.zeros((1, 2, 3)).at[:, 1, 2].set(0.5)
    operands = identity(2, 3, style_channels={})
    operands = type(operands)(shift, operands.centre, operands.probe, operands.back, {})
    ws = jnp.asarray(np.random.default_rng(0).standard_normal((5, 2, 3)), jnp.float32)
    curve = measure_curve(lambda ws: np.asarray(ws[:, 1, 2]), ws, operands, [-1, 0, 2])
    mean = float(ws[:, 1, 2].mean())
    np.testing.assert_allclose(curve, [mean - 0.5, mean, mean + 1], rtol=1e-5)


def test_curve_has_a_column_per_score():
    ws = jnp.ones((5, 2, 3))
    operands = identity(2, 3, style_channels={})
    curve = measure_curve(lambda ws: np.asarray(ws[:, :, 0]), ws, operands, STRENGTHS)
    assert curve.shape == (9, 2)


def test_range_is_everything_that_was_tried_for_a_line():
    assert usable_range(STRENGTHS, 2 * STRENGTHS) == (-4, 4)


def test_range_ends_where_the_score_no_longer_rises():
    assert usable_range(STRENGTHS, np.clip(STRENGTHS, -1, 2)) == (-1, 2)


def test_range_ends_where_the_score_turns():
    assert usable_range(STRENGTHS, -((STRENGTHS - 3) ** 2)) == (-4, 3)


def test_range_ends_for_good_where_the_score_rises_again():
    assert usable_range(STRENGTHS, np.array([0, 1, 1, 1, 2, 3, 3, 4, 5])) == (-1, 1)


@pytest.mark.parametrize(("least_rise", "expected"), [(0.4, (-4, 4)), (0.6, (-4, 1))])
def test_range_ends_at_the_share_of_the_rate_at_0(least_rise, expected):
    scores = np.where(STRENGTHS > 1, 0.5 + STRENGTHS / 2, STRENGTHS)
    assert usable_range(STRENGTHS, scores, least_rise=least_rise) == expected


def test_range_stays_within_targets():
    assert usable_range(STRENGTHS, 2 * STRENGTHS, targets=(-3, 6)) == (-1, 3)


def test_range_stays_where_pictures_are_real():
    real = np.abs(STRENGTHS + 1) < 2.5
    assert usable_range(STRENGTHS, STRENGTHS, real=real) == (-3, 1)


@pytest.mark.parametrize("slope", [0.0, -1.0])
def test_range_is_empty_for_a_score_that_does_not_rise(slope):
    assert usable_range(STRENGTHS, slope * STRENGTHS) == (0, 0)


@pytest.mark.parametrize("strengths", [[1, 2, 3], [0, 1, 2], [-1, 0, 0, 1], [1, 0, -1]])
def test_range_is_refused_without_rising_strengths_around_0(strengths):
    with pytest.raises(OptionError, match="required are rising ones on both sides of 0"):
        usable_range(np.array(strengths, float), np.array(strengths, float))
