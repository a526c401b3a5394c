"""KID: the squared maximum mean discrepancy of features under a cubic kernel.

Source: Demystifying MMD GANs (arXiv:1801.01401), section 4; stylegan2-ada-pytorch
metrics/kernel_inception_distance.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array
from sfe_jax.metrics.estimates import Estimate, estimate

SUBSETS = 100
"""Subsets that are averaged; StyleGAN2-ADA."""

SUBSET_SIZE = 1000
"""Pictures of either side in a subset; StyleGAN2-ADA."""

ENOUGH = 100
"""KID has no bias at any number of pictures; of fewer than these its spread is large."""


def _kernel(x: Array, y: Array) -> Array:
    """(x . y / D + 1)^3 of all pairs: [M, D], [M, D] -> [M, M]."""
    products = jnp.matmul(x, y.T, precision=lax.Precision.HIGHEST)
    return (products / x.shape[1] + 1) ** 3


@jax.jit
def _discrepancy_rows(x: Array, y: Array) -> Array:
    """Rows [M] whose mean is the discrepancy of [M, D] and [M, D].

    Differences are taken before sums: their rounding is that of the result, not of the kernel.
    """
    size = x.shape[0]
    others = jnp.where(jnp.eye(size, dtype=bool), 0, _kernel(x, x) + _kernel(y, y))
    return jnp.sum(others / (size - 1) - 2 * _kernel(x, y) / size, axis=1)


def kernel_distance(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    rng: np.random.Generator,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
) -> Estimate:
    """Mean over random subsets of the unbiased discrepancy.

        (sum_{i != j} k(x_i, x_j) + k(y_i, y_j)) / (m (m - 1)) - 2 sum_ij k(x_i, y_j) / m^2

    Args:
        real: [N, D], features of real pictures.
        generated: [K, D], of generated ones.
        rng: Draws the subsets.
        subsets: How many are drawn.
        subset_size: Rows of each side; fewer where a side has fewer.

    Returns:
        KID, and the deviation between subsets. It may be below 0. Products are float32: of 1000
        features of size 2048 the result is within 3e-7 of float64's.

    Raises:
        ShapeError: If the features differ in size, or a side has fewer than 2 rows.

    Source: arXiv:1801.01401, equation 4.
    """
    check_shape("real", real.shape, (None, None))
    check_shape("generated", generated.shape, (None, real.shape[1]))
    size = min(len(real), len(generated), subset_size)
    if size < 2:
        raise ShapeError(f"KID compares subsets of {size} pictures; required are at least 2")

    def draw(features: np.ndarray) -> np.ndarray:
        return features[rng.choice(len(features), size, replace=False)].astype(np.float32)

    rows = [_discrepancy_rows(draw(real), draw(generated)) for _ in range(subsets)]
    return estimate(np.asarray(rows, np.float64).mean(axis=1))
