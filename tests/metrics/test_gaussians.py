import itertools

import jax
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.frechet import frechet_distance
from sfe_jax.metrics.gaussians import Gaussian, feature_statistics
from sfe_jax.metrics.merging import merged
from sfe_jax.metrics.rows import local_part
from sfe_jax.parallel.mesh import batch_sharding, make_mesh

FEATURES = np.random.default_rng(0).standard_normal((40, 6)) * [1, 2, 3, 4, 5, 6]


def test_covariance_over_n_minus_1_is_that_of_numpy():
    ours = feature_statistics(FEATURES).gaussian()
    np.testing.assert_allclose(ours.covariance, np.cov(FEATURES, rowvar=False), rtol=1e-12)


def test_merging_in_any_order_gives_the_statistics_of_all():
    whole = feature_statistics(FEATURES)
    parts = [feature_statistics(part) for part in np.split(FEATURES, [1, 15])]
    for order in itertools.permutations(parts):
        joined = merged(order)
        assert joined.count == 40
        np.testing.assert_allclose(joined.mean, whole.mean, rtol=1e-12)
        np.testing.assert_allclose(joined.scatter, whole.scatter, rtol=1e-12)


def test_variance_survives_a_mean_ten_million_times_larger():
    """E[x^2] - E[x]^2 loses all digits here: 1e14 against 1, twice 16 digits."""
    spread = np.random.default_rng(1).standard_normal((40, 2))
    parts = np.split(spread + 1e7, 4)
    ours = merged([feature_statistics(part) for part in parts]).gaussian()
    np.testing.assert_allclose(ours.covariance, np.cov(spread, rowvar=False), rtol=1e-6)


def test_eight_devices_have_the_distance_of_one():
    features = FEATURES.astype(np.float32)
    spread = jax.device_put(features, batch_sharding(make_mesh()))
    shards = [feature_statistics(shard.data) for shard in spread.addressable_shards]
    reference = feature_statistics(FEATURES[:20] + 1).gaussian()
    expected = frechet_distance(feature_statistics(features).gaussian(), reference)
    assert len(shards) == 8
    np.testing.assert_array_equal(local_part(spread), features)
    assert frechet_distance(merged(shards).gaussian(), reference) == pytest.approx(
        expected, rel=1e-6
    )


def test_features_of_different_sizes_are_not_merged():
    with pytest.raises(ShapeError, match="`mean` has shape"):
        feature_statistics(FEATURES).merge(feature_statistics(FEATURES[:, :5]))


@pytest.mark.parametrize("shape", [(0, 3), (4,)])
def test_no_features_are_refused(shape):
    with pytest.raises(ShapeError, match="`features` has shape"):
        feature_statistics(np.zeros(shape))


def test_covariance_of_one_picture_is_refused():
    with pytest.raises(ShapeError, match="there is 1 picture"):
        feature_statistics(FEATURES[:1]).gaussian()


def test_covariance_of_another_size_than_the_mean_is_refused():
    with pytest.raises(ShapeError, match="`covariance` has shape"):
        Gaussian(np.zeros(3), np.eye(2), None)
