"""Moves of least change, on slopes whose answer is known."""

import numpy as np
import pytest

from sfe_jax.core.errors import EditError, ShapeError
from sfe_jax.edits.fitting.directions import Samples, least_change_directions
from sfe_jax.edits.fitting.least_change import Slopes, least_change

ROWS, SIZE = 3, 4


@pytest.fixture
def slopes():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((ROWS * SIZE, ROWS * SIZE))
    return Slopes(rng.standard_normal((2, ROWS, SIZE)), root @ root.T)


def change(slopes, move):
    """Of the picture, by a move [L, W]."""
    return move.ravel() @ slopes.pictures @ move.ravel()


def test_move_raises_its_own_score_alone(slopes):
    rates = np.einsum("alw,blw->ab", slopes.scores, least_change(slopes))
    np.testing.assert_allclose(rates, np.eye(2), atol=1e-12)


def test_no_other_move_with_the_same_rates_changes_the_picture_less(slopes):
    move = least_change(slopes, penalty=0.0)[0]
    basis = np.linalg.svd(slopes.scores.reshape(2, -1))[2][2:]  # What leaves both scores.
    for step in (*basis, *-basis):
        other = move + 1e-3 * step.reshape(ROWS, SIZE)
        assert change(slopes, other) > change(slopes, move)


def test_penalty_shortens_moves(slopes):
    short, long = (least_change(slopes, penalty=penalty) for penalty in (10.0, 0.0))
    assert np.linalg.norm(short[0]) < np.linalg.norm(long[0])


def test_scores_that_mean_the_same_are_refused(slopes):
    twice = Slopes(np.concatenate([slopes.scores, slopes.scores[:1]]), slopes.pictures)
    with pytest.raises(EditError, match="leave out those that mean the same"):
        least_change(twice)


def test_slopes_of_other_size_are_refused(slopes):
    with pytest.raises(ShapeError, match=r"slopes.pictures"):
        least_change(Slopes(slopes.scores, slopes.pictures[:-1, :-1]))


def test_unit_of_strength_is_a_deviation_of_the_score(slopes):
    scores = np.random.default_rng(1).normal(scale=(0.5, 2.0), size=(50, 2))
    samples = Samples(np.zeros((50, SIZE)), scores, ("smile", "age"), "made up")
    (smile,) = least_change_directions(slopes, samples, preserve=("age",))
    assert smile.direction.name == "smile"
    move = smile.direction.rule.factor * smile.arrays["fitted/smile"]
    raised = np.einsum("alw,lw->a", slopes.scores, move)
    np.testing.assert_allclose(raised, [scores[:, 0].std(), 0], atol=1e-6)
