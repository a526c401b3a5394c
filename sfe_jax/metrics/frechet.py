"""FID: the Fréchet distance between Gaussians fitted to two sets of features.

Source: GANs Trained by a Two Time-Scale Update Rule (arXiv:1706.08500), equation 6; pytorch-fid.
"""

import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.metrics.gaussians import Gaussian

ENOUGH = 10_000
"""Pictures below which FID says more of their number than of their quality: its bias grows with
1/N. The authors of FID ask for as many; published tables have 50,000."""


def _factor(covariance: np.ndarray) -> np.ndarray:
    """F [D, R] with F F^T = `covariance` [D, D], R being its numerical rank."""
    values, vectors = np.linalg.eigh(covariance)
    rounding = len(values) * np.finfo(np.float64).eps * max(values[-1], 0)
    kept = values > rounding
    return vectors[:, kept] * np.sqrt(values[kept])


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Fréchet distance of two Gaussians.

        |m_1 - m_2|^2 + tr C_1 + tr C_2 - 2 tr (C_1 C_2)^(1/2)

    With C = F F^T the last trace is the sum of the singular values of F_1^T F_2. No covariance is
    inverted and no product of two is formed, so singular ones, of fewer pictures than features,
    need no rescue; pytorch-fid takes the matrix root of C_1 C_2, and adds 1e-6 where that fails.

    Args:
        first: Of D features.
        second: Of as many.

    Returns:
        The distance, at least 0: rounding alone can make it less.

    Raises:
        ShapeError: If the features differ in number.
    """
    check_shape("second.mean", second.mean.shape, first.mean.shape)
    means = np.sum(np.square(first.mean - second.mean))
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    product = _factor(first.covariance).T @ _factor(second.covariance)
    root = np.linalg.svd(product, compute_uv=False).sum() if product.size else 0.0
    return max(0.0, float(means + traces - 2 * root))
