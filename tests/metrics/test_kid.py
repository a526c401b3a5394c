import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.kid import kernel_distance


def features(count, *, seed, shift=0.0):
    """Inception's are positive, with a mean larger than the differences that matter."""
    x = np.random.default_rng(seed).random((count, 64)) + shift
    return x.astype(np.float32)


def unbiased(x, y):
    """Equation 4, term by term in float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    kernel = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3  # noqa: E731
    m, n = len(x), len(y)
    own = (kernel(x, x).sum() - np.trace(kernel(x, x))) / (m * (m - 1))
    other = (kernel(y, y).sum() - np.trace(kernel(y, y))) / (n * (n - 1))
    return own + other - 2 * kernel(x, y).mean()


def run(x, y, seed=0, **options):
    return kernel_distance(x, y, rng=np.random.default_rng(seed), **options)


def test_one_subset_of_everything_is_the_unbiased_estimate():
    x, y = features(50, seed=0), features(50, seed=1, shift=0.02)
    ours = run(x, y, subsets=1, subset_size=50).mean
    assert ours == pytest.approx(unbiased(x, y), abs=1e-7)


def test_smaller_side_sets_the_size_of_subsets():
    x, y = features(60, seed=0), features(20, seed=1, shift=0.5)
    chosen = np.random.default_rng(0).choice(60, 20, replace=False)
    ours = run(x, y, subsets=1).mean
    assert ours == pytest.approx(unbiased(x[chosen], y), rel=1e-5)


def test_subsets_give_mean_and_deviation():
    x, y = features(30, seed=0), features(40, seed=1, shift=0.1)
    ours = run(x, y, subsets=3, subset_size=10)
    rng = np.random.default_rng(0)
    pairs = [[f[rng.choice(len(f), 10, replace=False)] for f in (x, y)] for _ in range(3)]
    expected = [unbiased(*pair) for pair in pairs]
    np.testing.assert_allclose(ours, [np.mean(expected), np.std(expected)], rtol=1e-4)


def test_estimate_has_no_bias_when_both_come_from_one_distribution():
    estimates = [
        run(features(20, seed=2 * i), features(20, seed=2 * i + 1), subsets=1).mean
        for i in range(30)
    ]
    assert abs(np.mean(estimates)) < 2.6 * np.std(estimates) / np.sqrt(30)


def test_half_precision_features_are_read_as_float32():
    x, y = (features(20, seed=s, shift=s).astype(np.float16) for s in (0, 1))
    ours = run(x, y, subsets=1).mean
    assert ours == pytest.approx(unbiased(x, y), rel=1e-5)


def test_one_picture_is_refused():
    with pytest.raises(ShapeError, match="subsets of 1 pictures"):
        run(features(1, seed=0), features(9, seed=1))


def test_features_of_different_sizes_are_refused():
    with pytest.raises(ShapeError, match="`generated` has shape"):
        run(features(5, seed=0), features(5, seed=1)[:, :3])
