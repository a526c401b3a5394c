"""Mean and covariance of features, in float64, exact under merging.

Source: Chan, Golub and LeVeque (1979), Updating Formulae and a Pairwise Algorithm for Computing
Sample Variances, equations 2.1.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What the Fréchet distance knows of a set of pictures."""

    mean: np.ndarray  # float64 [D]
    covariance: np.ndarray  # float64 [D, D]
    count: int | None  # Pictures; None where a file does not say.

    def __post_init__(self) -> None:
        check_shape("mean", self.mean.shape, (None,))
        check_shape("covariance", self.covariance.shape, 2 * self.mean.shape)


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Count, mean and scatter of features: the memory does not grow with their number."""

    count: int
    mean: np.ndarray  # float64 [D]
    scatter: np.ndarray  # float64 [D, D], the sum of (x - mean) (x - mean)^T.

    def merge(self, other: Self) -> Self:
        """The statistics of both sets together.

            mean    = mean_a + d n_b / n
            scatter = scatter_a + scatter_b + d d^T n_a n_b / n,  d = mean_b - mean_a

        Raises:
            ShapeError: If the features differ in size.
        """
        check_shape("mean", other.mean.shape, self.mean.shape)
        count = self.count + other.count
        difference = other.mean - self.mean
        between = np.outer(difference * (self.count * other.count / count), difference)
        mean = self.mean + difference * (other.count / count)
        return type(self)(count, mean, self.scatter + other.scatter + between)

    def gaussian(self) -> Gaussian:
        """With the covariance over N - 1, as pytorch-fid has it; StyleGAN2-ADA has it over N.

        Raises:
            ShapeError: If there is one picture.
        """
        if self.count < 2:
            raise ShapeError("there is 1 picture; a covariance requires at least 2")
        return Gaussian(self.mean, self.scatter / (self.count - 1), int(self.count))


def feature_statistics(features: np.ndarray | Array) -> FeatureStatistics:
    """Statistics of one batch of features.

    Args:
        features: [N, D] of any float type, N at least 1.

    Raises:
        ShapeError: If the rank differs or there is no row.
    """
    x = np.asarray(features, np.float64)
    check_shape("features", x.shape, (None, None))
    if not len(x):
        raise ShapeError(f"`features` has shape {x.shape}; required is at least one picture")
    mean = x.mean(axis=0)
    centred = x - mean
    return FeatureStatistics(len(x), mean, centred.T @ centred)
