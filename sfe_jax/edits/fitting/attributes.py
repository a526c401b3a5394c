"""Directions of an attribute, from codes and the scores that any network or person gives them.

`fit_boundary` is InterFaceGAN; `fit_regression` uses every score rather than the extremes. With
20000 correlated Gaussian codes of 512 entries, and scores with noise of 0.3 standard deviations,
the cosine with the true normal is 0.75 for the boundary and 0.96 for the regression.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.special

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import EditError

HELD_OUT = 5
"""Every fifth example is kept from the fit, to judge it."""


class Fit(NamedTuple):
    """A direction of W, and how well it tells codes that were not fitted."""

    normal: np.ndarray  # [W], of unit length; the score rises along it.
    held_out: float  # Accuracy of a boundary, correlation of a regression; 1 is perfect.


def _unit(vector: np.ndarray) -> np.ndarray:
    """`vector` at length 1."""
    length = np.linalg.norm(vector)
    if not length > 0:
        raise EditError("the fitted direction is zero; give scores that depend on the codes")
    return vector / length


def _check(codes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes [N, W] and scores [N] as float64, if they can be fitted."""
    check_shape("codes", codes.shape, (None, None))
    check_shape("scores", scores.shape, codes.shape[:1])
    codes, scores = np.asarray(codes, np.float64), np.asarray(scores, np.float64)
    if not (np.isfinite(codes).all() and np.isfinite(scores).all()):
        raise EditError("codes or scores have numbers that are not finite; remove those rows")
    if len(scores) < 2 * HELD_OUT or np.ptp(scores) == 0:
        raise EditError(
            f"there are {len(scores)} scores in {np.unique(scores).size} levels; required are at "
            f"least {2 * HELD_OUT} scores that differ: use more samples"
        )
    return codes, scores


def extremes(scores: np.ndarray, *, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The clearest examples of both sides.

    Args:
        scores: [N].
        share: Of all N on each side, in (0, 0.5].

    Returns:
        Indices of the K lowest and of the K highest scores, from low to high.

    Raises:
        EditError: If a side has too few examples, or both share a score.

    Source: InterFaceGAN (arXiv:2005.09635), section 4.1.
    """
    count = int(share * len(scores))
    if not HELD_OUT <= count <= len(scores) // 2:
        raise EditError(
            f"a share of {share:g} of {len(scores)} scores is {count} on each side; required are "
            f"{HELD_OUT} to {len(scores) // 2}: change the share or the number of samples"
        )
    order = np.argsort(scores, kind="stable")
    low, high = order[:count], order[-count:]
    if scores[low[-1]] >= scores[high[0]]:
        raise EditError(
            f"a share of {share:g} on each side has the score {scores[high[0]]:g} on both; "
            "use a smaller share, or more samples"
        )
    return low, high


def _logistic(codes: np.ndarray, signs: np.ndarray, penalty: float) -> np.ndarray:
    """The (v, b) [W + 1] of least mean log(1 + exp(-sign (<w, v> + b))) + penalty / 2 |v|^2."""

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        vector, bias = parameters[:-1], parameters[-1]
        margins = signs * (codes @ vector + bias)
        pull = -signs * scipy.special.expit(-margins) / len(signs)
        value = np.logaddexp(0, -margins).mean() + penalty / 2 * vector @ vector
        return value, np.append(codes.T @ pull + penalty * vector, pull.sum())

    start = np.zeros(codes.shape[1] + 1)
    return scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x


def fit_boundary(
    codes: np.ndarray, scores: np.ndarray, *, share: float = 0.02, penalty: float = 1e-3
) -> Fit:
    """The normal of the plane between codes that clearly lack and clearly have an attribute.

    Logistic regression instead of the paper's support vector machine: as deterministic, and
    smooth. Every fifth example of each side is held out.

    Args:
        codes: [N, W].
        scores: [N], larger where the attribute is stronger.
        share: Of all codes, taken as examples on each side.
        penalty: Of the squared norm, for codes of unit variance on average.

    Returns:
        The normal, and the accuracy on the held-out examples.

    Raises:
        ShapeError: If the shapes do not fit.
        EditError: If there are too few examples, or both sides share a score.

    Source: InterFaceGAN (arXiv:2005.09635), sections 3.2 and 4.1.
    """
    codes, scores = _check(codes, scores)
    low, high = extremes(scores, share=share)
    kept = np.arange(len(low)) % HELD_OUT > 0
    train = np.concatenate([low[kept], high[kept]])
    test = np.concatenate([low[~kept], high[~kept]])
    signs = np.where(scores > scores[low[-1]], 1.0, -1.0)  # Of the examples.

    centre = codes[train].mean(axis=0)
    scale = np.sqrt(codes[train].var(axis=0).mean())
    scaled = (codes - centre) / scale
    *vector, bias = _logistic(scaled[train], signs[train], penalty)
    right = signs[test] * (scaled[test] @ np.asarray(vector) + bias) > 0
    return Fit(_unit(np.asarray(vector)), float(right.mean()))


def fit_regression(codes: np.ndarray, scores: np.ndarray, *, penalty: float = 1e-2) -> Fit:
    """The direction along which a linear model of the score rises.

    Ridge regression on all codes but every fifth. Nearer to the truth than a boundary where scores
    are continuous, most of all with few codes.

    Args:
        codes: [N, W].
        scores: [N], larger where the attribute is stronger.
        penalty: Of the squared norm, in mean variances of the codes.

    Returns:
        The normal, and the correlation of model and score on the held-out codes.

    Raises:
        ShapeError: If the shapes do not fit.
        EditError: If there are too few codes, or the scores do not differ.
    """
    codes, scores = _check(codes, scores)
    kept = np.arange(len(codes)) % HELD_OUT > 0
    x = codes[kept] - codes[kept].mean(axis=0)
    y = scores[kept] - scores[kept].mean()
    covariance = x.T @ x / len(x)
    ridge = penalty * np.trace(covariance) / len(covariance)
    vector = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), x.T @ y / len(x))
    normal = _unit(vector)
    return Fit(normal, float(correlations(codes[~kept] @ normal, scores[~kept, None])[0]))


def correlations(coordinates: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Correlations [A] of coordinates [N] with scores [N, A]; 0 where one is constant."""
    x, y = coordinates - coordinates.mean(), scores - scores.mean(axis=0)
    lengths = np.linalg.norm(x) * np.linalg.norm(y, axis=0)
    return np.divide(x @ y, lengths, out=np.zeros(y.shape[1]), where=lengths > 0)


def orthogonalise(normal: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """The part of a normal that leaves other attributes alone.

    Args:
        normal: [W].
        others: Directions [W] of what is to be left alone.

    Returns:
        [W] of unit length, orthogonal to all `others`.

    Raises:
        EditError: If `normal` lies in their span.

    Source: InterFaceGAN (arXiv:2005.09635), section 3.3, equation 6.
    """
    span = np.stack(others, axis=1)
    rest = normal - span @ np.linalg.lstsq(span, normal, rcond=None)[0]
    if np.linalg.norm(rest) < 1e-6 * np.linalg.norm(normal):  # Rounding alone is left.
        raise EditError(
            "nothing is left of a direction beside those to preserve; preserve fewer attributes"
        )
    return _unit(rest)
