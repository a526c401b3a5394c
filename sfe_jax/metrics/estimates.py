"""A number with its spread."""

from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """Mean and population standard deviation of several measurements of one number."""

    mean: float
    deviation: float


def estimate(values: np.ndarray) -> Estimate:
    """Summarises measurements [K]."""
    return Estimate(float(np.mean(values)), float(np.std(values)))
