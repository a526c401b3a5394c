import jax
import numpy as np
import pytest

from sfe_jax.core.errors import ImageError, ShapeError
from sfe_jax.evaluation.extraction import Collector, Extractor
from sfe_jax.evaluation.sets import Batch
from sfe_jax.metrics.frechet import frechet_distance
from sfe_jax.parallel.mesh import make_mesh
from tests.evaluation.pictures import colour_network, colours_of, noise_set

COUNT = 21


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return noise_set(tmp_path_factory.mktemp("noise"), COUNT)


def read(pictures, *, devices, batch_size, keep=()):
    """What a mesh of devices reads of pictures."""
    extractor = Extractor(colour_network(), make_mesh(devices=jax.devices()[:devices]))
    collector = Collector(extractor, keep=keep)
    for batch in pictures.batches(batch_size):
        collector.add(batch)
    return collector.finish()


@pytest.fixture(scope="module")
def reading(pictures):
    return read(pictures, devices=8, batch_size=8, keep=("features",))


def test_statistics_are_those_of_numpy(pictures, reading):
    features = colours_of(np.stack([pictures.read(n) for n in range(COUNT)]))
    np.testing.assert_allclose(reading.gaussian.mean, features.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(reading.gaussian.covariance, np.cov(features.T), rtol=1e-4)


def test_padding_is_not_counted(reading):
    assert (reading.count, len(reading.features)) == (COUNT, COUNT)


@pytest.mark.parametrize(("devices", "batch_size"), [(1, 4), (2, 6), (8, 24)])
def test_devices_and_batches_change_nothing(pictures, reading, devices, batch_size):
    other = read(pictures, devices=devices, batch_size=batch_size)
    np.testing.assert_allclose(other.gaussian.mean, reading.gaussian.mean, rtol=1e-6)
    np.testing.assert_allclose(other.gaussian.covariance, reading.gaussian.covariance, rtol=1e-6)


def test_distance_of_a_set_to_itself_is_zero(reading):
    assert frechet_distance(reading.gaussian, reading.gaussian) < 1e-12


def test_what_is_held_does_not_grow_with_the_pictures(pictures):
    """Of 3 features, at most 3 rows wait to be merged."""
    collector = Collector(Extractor(colour_network(), make_mesh(devices=jax.devices()[:1])))
    held = []
    for batch in pictures.batches(1):
        collector.add(batch)
        held.append((len(collector._fresh), len(collector._statistics), len(collector._kept)))
    assert max(held) <= (2, 1, 0)


def test_one_picture_has_no_covariance(pictures):
    with pytest.raises(ShapeError, match="there is 1 picture"):
        read(pictures.subset(np.array([0])), devices=1, batch_size=1)


def test_picture_whose_features_are_not_finite_is_named_by_its_number(pictures):
    network = colour_network()
    network.variables["gain"] = np.float32(np.nan)
    extractor = Extractor(network, make_mesh(devices=jax.devices()[:1]))
    with pytest.raises(ImageError, match="picture 7 gives values that are not finite"):
        Collector(extractor).add(Batch(np.array([7]), np.zeros((1, 8, 8, 3), np.uint8)))
