import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import WeightsError
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.feature_networks import feature_network
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.perceptual.inception import FidInception, resize_for_fid
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.random_bundle import random_variables
from tests.compiling import jit

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)


def network(module):
    return Network(module, random_variables(module, np.random.default_rng(0)))


def test_stand_in_gives_means_of_its_last_map_under_another_name():
    faces = network(FaceFeatures(("smile",), channels=(4, 6)))
    ready = feature_network(Bundle({"features": faces}), "features")
    images = jnp.asarray(IMAGES[:, :8, :8])
    maps = jit(faces.module.apply)(faces.variables, images)["maps"]
    read = jit(ready.read)(ready.variables, images)
    np.testing.assert_allclose(read["features"], np.mean(maps[-1], axis=(1, 2)), rtol=1e-5)
    assert "FID" not in ready.names.frechet


def test_stand_in_reads_larger_pictures_as_means_of_their_pixels():
    faces = network(FaceFeatures(("smile",), channels=(4, 6)))
    ready = feature_network(Bundle({"features": faces}), "features")
    small = jnp.asarray(IMAGES[:, :8, :8])
    large = jnp.repeat(jnp.repeat(small, 2, axis=1), 2, axis=2)
    own, read = (jit(ready.read)(ready.variables, images) for images in (small, large))
    np.testing.assert_allclose(read["features"], own["features"], rtol=1e-5)
    assert ready.resize == "8, area"


def test_inception_reads_pictures_as_pytorch_fid_resizes_them():
    inception = network(FidInception(narrowing=16, input_size=75))
    ready = feature_network(Bundle({"fid_inception": inception}), "fid_inception")
    own = jit(inception.module.apply)(inception.variables, resize_for_fid(jnp.asarray(IMAGES), 75))
    read = jit(ready.read)(ready.variables, jnp.asarray(IMAGES))
    assert read.keys() == {"features", "probabilities"}
    np.testing.assert_allclose(read["features"], own["features"], rtol=1e-5, atol=1e-6)
    assert ready.names.frechet == "FID"
    assert ready.resize == "75, bilinear without antialiasing"


def test_network_of_another_kind_is_named():
    bundle = Bundle({"fid_inception": Network(nn.Dense(1), {})}, path="weights.safetensors")
    match = r"weights\.safetensors: 'fid_inception' is a Dense, .*; required is FID's"
    with pytest.raises(WeightsError, match=match):
        feature_network(bundle, "fid_inception")


def test_digest_changes_with_a_number_and_with_a_name():
    first = digest_arrays({"a": np.zeros(3, np.float32)})
    assert digest_arrays({"a": np.float32([0, 0, 1])}) != first
    assert digest_arrays({"b": np.zeros(3, np.float32)}) != first
