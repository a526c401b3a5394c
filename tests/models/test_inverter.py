from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.pipelines.random_bundle import random_variables
from tests.compiling import jit
from tests.models.networks import as_float64, assert_near, draw, part
from tests.reference import encoders as reference

IMAGES = draw(2, 16, 16, 3)
OWN = draw(2, 4, 4, 5, seed=1)


@cache
def inverter():
    module = Inverter(
        num_styles=3,
        w_dim=8,
        features=5,
        depths=(1, 1, 1, 1),
        widths=(3, 4, 5, 6),
        num_units=2,
        input_size=16,
    )
    return module, random_variables(module, np.random.default_rng(0))


def call(method, *inputs):
    module, variables = inverter()
    return jit(lambda *inputs: module.apply(variables, *inputs, method=method))(*inputs)


@cache
def expected_prediction():
    return reference.backbone(IMAGES, as_float64(inverter()[1]))


def test_codes_equal_definition():
    assert_near(call("predict", IMAGES)["ws"], expected_prediction()[0], tolerance=3e-5)


def test_feature_equals_definition():
    assert_near(call("predict", IMAGES)["feature"], expected_prediction()[1], tolerance=3e-5)


def test_fused_feature_equals_definition():
    fuser = part(inverter()[1], "fuser")
    feature = draw(2, 4, 4, 5)
    expected = reference.fuser(feature, OWN, fuser["params"], fuser["batch_stats"])
    assert_near(call("fuse", feature, OWN), expected)


def test_call_fuses_predicted_feature_first():
    predicted = call("predict", IMAGES)["feature"]
    assert_near(call("__call__", IMAGES, OWN)["feature"], call("fuse", predicted, OWN))


@pytest.mark.parametrize(("name", "shape"), [("ws", (1, 18, 512)), ("feature", (1, 64, 64, 512))])
def test_prediction_has_published_size(name, shape):
    module, key = Inverter(), jax.random.key(0)
    images = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    run = lambda key, x: module.init_with_output(key, x, method="predict")[0]  # noqa: E731
    assert jax.eval_shape(run, key, images)[name].shape == shape


def test_training_updates_statistics_of_backbone_and_fuser():
    module, variables = inverter()
    run = jit(lambda v: module.apply(v, IMAGES, OWN, train=True, mutable=["batch_stats"])[1])
    before, after = variables["batch_stats"], run(variables)["batch_stats"]
    moved = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - b).max() > 0, before, after)
    assert all(jax.tree.leaves(moved))


def test_fuser_refuses_tensors_of_different_shape():
    module = FeatureFuser(features=4, num_units=1)
    with pytest.raises(ShapeError, match="`second` has shape"):
        jax.eval_shape(module.init, jax.random.key(0), draw(1, 4, 4, 4), draw(1, 2, 2, 4))


def test_latent_discriminator_equals_definition():
    module, x = LatentDiscriminator(features=6), draw(3, 6)
    variables = random_variables(module, np.random.default_rng(0))
    expected = x.astype(np.float64)
    for index in range(4):
        linear = as_float64(variables["params"][f"dense{index}"]["linear"])
        expected = expected @ linear["kernel"] + linear["bias"]
        if index < 3:
            expected = np.where(expected > 0, expected, 0.2 * expected)
    assert_near(module.apply(variables, x), expected)
