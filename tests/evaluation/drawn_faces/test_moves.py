import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import EditError
from sfe_jax.data.faces import AttributeRange
from sfe_jax.edits.operands import identity
from sfe_jax.evaluation.drawn_faces.moves import OwnFaces, calibrate, find_strength, has_room
from tests.evaluation.stubs import direction

SMILE = AttributeRange("smile", -1.0, 1.0, "", "")

RATE = 0.2
"""How much the smile rises per unit of strength."""


def test_values_have_room_up_to_the_end_of_their_range():
    values = np.array([-1, 0, 0.5, 0.51, 1])
    assert has_room(values, 0.5, SMILE).tolist() == [True, True, True, False, False]
    assert has_room(values, -0.5, SMILE).tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("side", [1, -1])
def test_strength_is_interpolated(side):
    strengths, changes = side * np.array([1.0, 2.0]), side * np.array([0.1, 0.3])
    assert find_strength(strengths, changes, side * 0.2) == pytest.approx(side * 1.5)


def test_strength_below_the_first_is_interpolated_from_0():
    assert find_strength(np.array([1.0, 2.0]), np.array([0.4, 0.5]), 0.1) == pytest.approx(0.25)


def test_first_strength_is_found_where_several_would_do():
    strengths, changes = np.arange(1.0, 5.0), np.array([0.2, 0.4, 0.1, 0.4])
    assert find_strength(strengths, changes, 0.3) == pytest.approx(1.5)


def test_strength_of_the_largest_change_is_found_where_none_suffices():
    assert find_strength(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2]), 0.5) == 2


# Codes whose first number is the smile and whose second is something else.


@pytest.fixture(scope="module")
def own():
    ws = np.random.default_rng(0).uniform(-1, 1, (64, 2, 3)).astype(np.float32)
    return OwnFaces(ws, ws[:, 0, :2], lambda ws: np.asarray(ws)[:, 0, :2])


def find(own, *, wanted, low=-2.0, high=2.0, rate=RATE):
    still = identity(2, 3, style_channels={})
    shift = jnp.zeros((1, 2, 3)).at[:, :, 0].set(rate)
    operands = dataclasses.replace(still, shift=shift)
    edit = direction(low=low, high=high)
    return calibrate(edit, operands, own, column=0, wanted=wanted, attribute=SMILE)


@pytest.mark.parametrize("wanted", [0.3, -0.3])
def test_wanted_change_gives_its_strength(own, wanted):
    move = find(own, wanted=wanted)
    assert move.strength == pytest.approx(wanted / RATE, rel=1e-4)
    assert move.change == pytest.approx(wanted, rel=1e-4)


def test_strength_ends_with_the_measured_range(own):
    move = find(own, wanted=0.5, high=1.0)
    assert (move.strength, move.change) == pytest.approx((1.0, RATE), rel=1e-4)


def test_change_is_measured_at_the_interpolated_strength():
    """On a parabola the line between two tried strengths lies above."""
    ws = np.zeros((8, 2, 3), np.float32)
    own = OwnFaces(ws, ws[:, 0, :1], lambda ws: np.square(np.asarray(ws)[:, 0, :1]))
    move = find(own, wanted=0.3, high=4.0)
    assert move.change == pytest.approx((RATE * move.strength) ** 2, rel=1e-4)
    assert move.change < 0.299


def test_faces_without_room_are_left_out():
    """Smiles stop at 1: only those below can show the whole change."""
    smiles = np.r_[np.zeros(8), np.ones(8)].astype(np.float32)
    ws = np.broadcast_to(smiles[:, None, None], (16, 2, 3))
    own = OwnFaces(ws, ws[:, 0, :1], lambda ws: np.minimum(np.asarray(ws)[:, 0, :1], 1))
    assert find(own, wanted=0.3).strength == pytest.approx(0.3 / RATE, rel=1e-4)


@pytest.mark.parametrize(("wanted", "low", "high"), [(0.3, -2.0, 0.0), (-0.3, 0.0, 2.0)])
def test_a_side_without_range_gives_no_move(own, wanted, low, high):
    assert find(own, wanted=wanted, low=low, high=high) is None


def test_a_direction_without_measured_range_is_refused(own):
    with pytest.raises(EditError, match=r"`smile` has no measured range"):
        find(own, wanted=0.3, low=None, high=None)


def test_a_direction_that_lowers_its_attribute_is_refused(own):
    with pytest.raises(EditError, match=r"changes smile by .* where \+0.3 is wanted"):
        find(own, wanted=0.3, rate=-RATE)


def test_too_few_faces_with_room_are_refused(own):
    with pytest.raises(EditError, match=r"of the generator's 64 faces can change smile by \+1.95"):
        find(own, wanted=1.95)
