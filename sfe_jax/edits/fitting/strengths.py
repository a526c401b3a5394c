"""At which strengths a direction does what it says: measured on pictures, not guessed."""

from collections.abc import Callable, Iterable

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.errors import OptionError
from sfe_jax.core.types import Array
from sfe_jax.edits.operands import Operands, apply_to_ws

LEAST_RISE = 0.1
"""A step counts as rising if it has this share of the rate at strength 0."""

Score = Callable[[Array], np.ndarray]
"""Codes ws [N, L, W] -> scores [N] or [N, A] of their pictures."""


def measure_curve(
    score: Score, ws: Array, operands: Operands, strengths: Iterable[float]
) -> np.ndarray:
    """Mean scores of edited codes.

    Args:
        score: A generator with a network that reads its pictures; any measure of realism too.
        ws: [N, L, W], the codes to edit.
        operands: Of the edit, which moves W+.
        strengths: S strengths.

    Returns:
        [S], or [S, A] if there are several scores.
    """
    means = []
    for strength in strengths:
        edited = apply_to_ws(ws, operands, jnp.full(len(ws), strength, jnp.float32))
        means.append(np.mean(score(edited), axis=0, dtype=np.float64))
    return np.stack(means)


def usable_range(
    strengths: np.ndarray,
    scores: np.ndarray,
    *,
    targets: tuple[float, float] = (-np.inf, np.inf),
    real: np.ndarray | None = None,
    least_rise: float = LEAST_RISE,
) -> tuple[float, float]:
    """The longest run of strengths around 0 in which an edit works.

    It ends at the last strength before the mean score rises at less than `least_rise` times its
    rate at 0, leaves `targets`, or pictures stop being real.

    Args:
        strengths: [S], rising, 0 among them but neither first nor last.
        scores: [S], mean scores at these strengths.
        targets: Scores that edits may reach, such as quantiles of unedited pictures.
        real: [S], whether pictures at a strength are as good as the data; None if not judged.
        least_rise: Share of the rate at 0.

    Returns:
        Lowest and highest strength, (0, 0) if the score does not rise at 0.

    Raises:
        OptionError: If the strengths do not rise or lack 0.
    """
    inner = strengths[1:-1]
    if (np.diff(strengths) <= 0).any() or 0 not in inner:
        raise OptionError(
            f"strengths are {strengths.tolist()}; required are rising ones on both sides of 0"
        )
    zero = int(np.searchsorted(strengths, 0))
    rates = np.diff(scores) / np.diff(strengths)
    pace = (scores[zero + 1] - scores[zero - 1]) / (strengths[zero + 1] - strengths[zero - 1])
    rises = rates >= least_rise * pace if pace > 0 else np.zeros(len(rates), bool)
    allowed = (targets[0] <= scores) & (scores <= targets[1])
    if real is not None:
        allowed &= real
    up = np.logical_and.accumulate(rises[zero:] & allowed[zero + 1 :])
    down = np.logical_and.accumulate((rises[:zero] & allowed[:zero])[::-1])
    return float(strengths[zero - down.sum()]), float(strengths[zero + up.sum()])
