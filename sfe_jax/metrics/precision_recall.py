"""Precision and recall of a generator, by balls around features.

Source: Improved Precision and Recall Metric for Assessing Generative Models (arXiv:1904.06991),
algorithm 1; stylegan2-ada-pytorch metrics/precision_recall.py, whose features are float16.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array

NEIGHBOURS = 3
"""The radius of a ball is the distance to this neighbour; arXiv:1904.06991, section 3.1."""

BLOCK = 4096
"""Rows of each side whose distances are held at once: 64 MiB."""

ENOUGH = 10_000
"""Balls around few features are large, and hold everything; published figures have 50,000."""


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]."""

    precision: float  # Of generated pictures that could be real.
    recall: float  # Of real pictures that could be generated.


def _squared_distances(x: Array, y: Array) -> Array:
    """[M, D], [K, D] -> [M, K]."""
    products = jnp.matmul(x, y.T, precision=lax.Precision.HIGHEST)
    squares = jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)[None]
    return jnp.maximum(squares - 2 * products, 0)


@jax.jit
def _nearest(best: Array, x: Array, y: Array) -> Array:
    """The smallest squared distances: so far [M, K], and those of [M, D] to [L, D]."""
    candidates = jnp.concatenate([best, _squared_distances(x, y)], axis=1)
    return -lax.top_k(-candidates, best.shape[1])[0]


@jax.jit
def _found(before: Array, x: Array, y: Array, radii: Array) -> Array:
    """Whether points [M, D] lie in a ball [L] around [L, D], or did in one before [M]."""
    return before | jnp.any(_squared_distances(x, y) <= radii[None], axis=1)


def _blocks(x: np.ndarray, size: int) -> list[np.ndarray]:
    """Parts of at most `size` rows that differ by one at most: programs are compiled for few."""
    return np.array_split(x, -(-len(x) // size))


def squared_radii(
    features: np.ndarray, *, neighbours: int = NEIGHBOURS, block: int = BLOCK
) -> np.ndarray:
    """Squared distance of every feature to a neighbour, itself being the zeroth.

    Args:
        features: float32 [N, D].
        neighbours: Which one.
        block: Rows and columns of distances held at once.

    Returns:
        float32 [N].

    Raises:
        ShapeError: If there are not so many neighbours.
    """
    if len(features) <= neighbours:
        raise ShapeError(
            f"there are {len(features)} pictures; required are more than the {neighbours} "
            "neighbours that set a radius"
        )
    radii = []
    for x in _blocks(features, block):
        best = jnp.full((len(x), neighbours + 1), jnp.inf, jnp.float32)
        for y in _blocks(features, block):
            best = _nearest(best, x, y)
        radii.append(np.asarray(best[:, -1]))
    return np.concatenate(radii)


def share_inside(
    points: np.ndarray, centres: np.ndarray, radii: np.ndarray, *, block: int = BLOCK
) -> float:
    """Share of points that lie in any ball.

    Args:
        points: float32 [M, D].
        centres: float32 [N, D].
        radii: float32 [N], squared.
        block: Rows and columns of distances held at once.
    """
    inside = 0
    for x in _blocks(points, block):
        found = jnp.zeros(len(x), bool)
        for y, radius in zip(_blocks(centres, block), _blocks(radii, block), strict=True):
            found = _found(found, x, y, radius)
        inside += int(np.sum(found))
    return inside / len(points)


def precision_recall(
    real: np.ndarray, generated: np.ndarray, *, neighbours: int = NEIGHBOURS, block: int = BLOCK
) -> PrecisionRecall:
    """Shares of each set that lie among the other.

    Args:
        real: [N, D], features of real pictures.
        generated: [M, D], of generated ones.
        neighbours: That set the radius of a ball.
        block: Rows and columns of distances held at once.

    Raises:
        ShapeError: If the features differ in size, or a set has too few.
    """
    check_shape("real", real.shape, (None, None))
    check_shape("generated", generated.shape, (None, real.shape[1]))
    # Near the origin squares lose less to rounding; distances stay.
    centre = real.mean(axis=0, dtype=np.float64)[None]
    real, generated = ((x - centre).astype(np.float32) for x in (real, generated))
    real_radii, generated_radii = (
        squared_radii(x, neighbours=neighbours, block=block) for x in (real, generated)
    )
    return PrecisionRecall(
        precision=share_inside(generated, real, real_radii, block=block),
        recall=share_inside(real, generated, generated_radii, block=block),
    )
