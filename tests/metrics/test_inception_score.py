import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.inception_score import inception_score


def test_certain_and_even_classes_score_their_number():
    assert inception_score(np.tile(np.eye(5), (20, 1))).mean == pytest.approx(5)


def test_equal_probabilities_score_1():
    assert inception_score(np.full((30, 4), 0.25)).mean == pytest.approx(1)


def test_deviation_is_that_between_splits():
    """The first half shows one class of two, the second both."""
    probabilities = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    assert inception_score(probabilities, splits=2) == pytest.approx((1.5, 0.5))


def test_score_is_that_of_the_formula_when_splits_are_uneven():
    p = np.random.default_rng(0).dirichlet(np.ones(6), 7)
    parts = [p[:2], p[2:4], p[4:]]
    scores = [np.exp((q * np.log(q / q.mean(0))).sum(1).mean()) for q in parts]
    np.testing.assert_allclose(
        inception_score(p, splits=3), [np.mean(scores), np.std(scores)], rtol=1e-12
    )


def test_fewer_pictures_than_splits_are_refused():
    with pytest.raises(ShapeError, match="3 pictures in 10 splits"):
        inception_score(np.eye(3))
