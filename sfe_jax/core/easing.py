"""How something goes from 0 to 1."""

from typing import TypeVar

import jax
import numpy as np

T = TypeVar("T", np.ndarray, jax.Array)


def ease(t: T) -> T:
    """Smooth step from 0 to 1 that begins and ends at rest: 3 t^2 - 2 t^3.

    Args:
        t: [...], in [0, 1].

    Returns:
        [...], in [0, 1].
    """
    return t * t * (3 - 2 * t)
