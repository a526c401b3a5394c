"""Directions that raise one attribute and change the picture as little as they can.

Among all moves d of W+ that raise an attribute by 1 and leave the others as they are, to first
order, the one of least mean squared change of the picture:

    minimise d^T M d   subject to   G d = e_i,    M = E[J^T J],    G = E[slopes of the scores]

with J the slope of the picture by the codes. It finds the rows by itself, and suits what is small
in the picture (a smile, glasses). What must change much of it (a turn of the head) is better left
to regression on samples: the least change that a network takes for a turn is not a turn.
"""

from typing import NamedTuple

import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import EditError


class Slopes(NamedTuple):
    """How scores and pictures follow codes of W+, in the mean over samples."""

    scores: np.ndarray  # [A, L, W], slope of each score.
    pictures: np.ndarray  # [L W, L W], M: d^T M d is the mean squared change by a small move d.


def least_change(slopes: Slopes, *, penalty: float = 0.1) -> np.ndarray:
    """The moves of least change, one per attribute.

    Args:
        slopes: Of A attributes.
        penalty: Of the squared length of a move, in mean diagonal entries of M.

    Returns:
        [A, L, W]; along the i-th the i-th score rises at rate 1 and the others at rate 0.

    Raises:
        ShapeError: If the shapes do not fit.
        EditError: If a score follows no code, or two follow the same ones.
    """
    count, num_ws, w_dim = slopes.scores.shape
    size = num_ws * w_dim
    check_shape("slopes.pictures", slopes.pictures.shape, (size, size))
    rates = np.asarray(slopes.scores, np.float64).reshape(count, size)
    cost = np.asarray(slopes.pictures, np.float64)
    cost = cost + penalty * np.trace(cost) / size * np.eye(size)
    cheapest = np.linalg.solve(cost, rates.T)  # [L W, A]
    gains = rates @ cheapest
    if np.linalg.matrix_rank(gains, tol=1e-9 * np.abs(gains).max()) < count:
        raise EditError(
            "the scores cannot be moved one without another; leave out those that mean the same"
        )
    return (cheapest @ np.linalg.inv(gains)).T.reshape(count, num_ws, w_dim)
