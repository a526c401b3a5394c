import numpy as np
import pytest
import scipy.linalg

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.frechet import frechet_distance
from sfe_jax.metrics.gaussians import Gaussian, feature_statistics


def features(count, size=12, *, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, size)) @ rng.standard_normal((size, size)) + rng.random(size)


def fitted(*arguments, **options):
    return feature_statistics(features(*arguments, **options)).gaussian()


def by_matrix_root(a, b):
    """The form of pytorch-fid."""
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance)
    squares = np.sum((a.mean - b.mean) ** 2)
    return squares + np.trace(a.covariance + b.covariance - 2 * np.real(root))


def test_distance_is_that_of_the_matrix_root():
    a, b = fitted(50), fitted(40, seed=1)
    assert frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-10)


def test_distance_is_symmetric():
    a, b = fitted(50), fitted(40, seed=1)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


@pytest.mark.parametrize("count", [50, 5])
def test_distance_to_itself_is_zero(count):
    """Of 5 pictures the covariance is singular."""
    a = fitted(count)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12 * np.trace(a.covariance))


@pytest.mark.parametrize("count", [50, 5])
def test_distance_of_equal_covariances_is_that_of_the_means(count):
    a = fitted(count)
    shift = np.linspace(-0.1, 0.2, 12)
    b = Gaussian(a.mean + shift, a.covariance, None)
    assert frechet_distance(a, b) == pytest.approx(np.sum(shift**2), rel=1e-6)


def test_distance_along_axes_is_that_of_the_deviations():
    """Diagonal covariances commute: sum (s_1 - s_2)^2. Some are zero."""
    first, second = np.array([3.0, 0, 2, 0]), np.array([1.0, 5, 0, 0])
    a, b = (Gaussian(np.zeros(4), np.diag(s**2), None) for s in (first, second))
    assert frechet_distance(a, b) == pytest.approx(np.sum((first - second) ** 2), rel=1e-12)


def test_distance_of_points_is_that_of_the_means():
    a, b = (Gaussian(np.full(3, value), np.zeros((3, 3)), None) for value in (0.0, 2.0))
    assert frechet_distance(a, b) == 12


def test_features_of_different_sizes_are_refused():
    with pytest.raises(ShapeError, match=r"`second\.mean` has shape"):
        frechet_distance(fitted(20), fitted(20, 11))
