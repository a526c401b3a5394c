import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.precision_recall import precision_recall, squared_radii


def points(count, *, seed=0, shift=0.0):
    return (np.random.default_rng(seed).standard_normal((count, 5)) + shift).astype(np.float32)


def distances(x, y):
    return np.linalg.norm(x[:, None].astype(np.float64) - y[None], axis=2)


def plain(real, generated, neighbours):
    """Algorithm 1, all distances at once in float64."""
    radii = [np.sort(distances(x, x), axis=1)[:, neighbours] for x in (real, generated)]
    inside = [
        (distances(x, y) <= radius[None]).any(axis=1).mean()
        for x, y, radius in ((generated, real, radii[0]), (real, generated, radii[1]))
    ]
    return tuple(inside)


@pytest.mark.parametrize("block", [4096, 16])
def test_radius_is_the_distance_to_the_third_neighbour(block):
    x = points(50)
    expected = np.sort(distances(x, x), axis=1)[:, 3] ** 2
    np.testing.assert_allclose(squared_radii(x, block=block), expected, rtol=1e-4)


@pytest.mark.parametrize("block", [4096, 16])
@pytest.mark.parametrize("neighbours", [1, 3])
def test_shares_are_those_of_the_plain_form(block, neighbours):
    real, generated = points(60), points(45, seed=1, shift=0.7)
    ours = precision_recall(real, generated, neighbours=neighbours, block=block)
    expected = plain(real, generated, neighbours)
    assert 0 < expected[1] < expected[0] < 1 or 0 < expected[0] < expected[1] < 1
    assert ours == pytest.approx(expected)


def test_equal_sets_have_full_shares():
    assert precision_recall(points(20), points(20)) == (1, 1)


def test_distant_sets_share_nothing():
    assert precision_recall(points(20), points(20, shift=100)) == (0, 0)


def test_one_generated_mode_is_precise_and_recalls_little():
    real = np.concatenate([points(30), points(30, seed=1, shift=50)])
    ours = precision_recall(real, points(30, seed=2) * 0.5)
    assert ours.precision == 1
    assert ours.recall < 0.5


def test_distance_from_the_origin_does_not_matter():
    """Features of 1000 and more, with differences of 1: squares alone would lose them."""
    near = precision_recall(points(40), points(40, seed=1))
    far = precision_recall(points(40, shift=4096), points(40, seed=1, shift=4096))
    assert near == far


def test_too_few_pictures_are_refused():
    with pytest.raises(ShapeError, match="there are 3 pictures"):
        precision_recall(points(9), points(3))


def test_features_of_different_sizes_are_refused():
    with pytest.raises(ShapeError, match="`generated` has shape"):
        precision_recall(points(9), points(9)[:, :2])
