import jax
import numpy as np
import pytest

from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines.random_bundle import random_variables, small_modules


def modules():
    """Networks by role; `features` has kernels of 1,000 numbers for each of its heads."""
    features = FaceFeatures(tuple("abcdefgh"), (12, 12, 64), embedding_size=8)
    return {**small_modules(), "features": features}


def kernels(role):
    """Kernels of at least 1,000 numbers, by name."""
    variables = random_variables(modules()[role], np.random.default_rng(0))
    flat, _ = jax.tree_util.tree_flatten_with_path(variables["params"])
    named = {jax.tree_util.keystr(path): np.asarray(x) for path, x in flat if x.size >= 1000}
    return {name: x for name, x in named.items() if name.endswith("['kernel']")}


@pytest.mark.parametrize("role", ["generator", "discriminator", "features"])
def test_kernels_have_unit_variance_where_the_layer_scales_them(role):
    deviations = [x.std() for name, x in kernels(role).items() if "mapping" not in name]
    np.testing.assert_allclose(deviations, 1, atol=0.1)  # Four standard errors of 1,000 draws.


def test_kernels_of_mapping_undo_its_learning_rate():
    deviations = [x.std() for name, x in kernels("generator").items() if "mapping" in name]
    np.testing.assert_allclose(deviations, 1 / 0.01, rtol=0.1)


@pytest.mark.parametrize("role", ["inverter", "feature_editor"])
def test_kernels_have_unit_gain_where_the_layer_does_not(role):
    gains = [x.std() * np.sqrt(np.prod(x.shape[:-1])) for x in kernels(role).values()]
    np.testing.assert_allclose(gains, 1, atol=0.1)
