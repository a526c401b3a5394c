"""Parity with plain PyTorch on random weights; skipped where torch is not installed."""

import functools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.trees import apply
from sfe_jax.edits.operands import identity
from sfe_jax.perceptual.inception import FidInception, resize_for_fid
from sfe_jax.pipelines.editor import build_method
from sfe_jax.pipelines.random_bundle import random_variables
from tests.compiling import jit

torch = pytest.importorskip("torch", reason="torch is not installed; parity needs its CPU build")

from benchmarks.torch_reference import editing, encoders, inception, stylegan2  # noqa: E402
from benchmarks.torch_reference.loading import load  # noqa: E402

TOLERANCE = 2e-5  # Of the maximum: float32 roundings in another order, over some hundred layers.
BODY = {"depths": (1, 1, 1, 1), "widths": (8, 16, 24, 32)}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def to_torch(images):
    return torch.tensor(images).permute(0, 3, 1, 2).contiguous()


def assert_near(ours, theirs):
    theirs = theirs.numpy()
    theirs = theirs.transpose(0, 2, 3, 1) if theirs.ndim == 4 else theirs
    tolerance = TOLERANCE * np.abs(theirs).max()
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def networks(small_bundle):
    """Our modules and variables by role."""
    return small_bundle.networks


@pytest.fixture(scope="module")
def reference(networks):
    """The networks of PyTorch with our arrays."""
    sizes = {"rows": 10, "w_dim": 32}
    channels = networks["generator"].module.channels
    builders = {
        "generator": functools.partial(stylegan2.Generator, channels, z_dim=32, w_dim=32, layers=2),
        "inverter": functools.partial(encoders.Inverter, **sizes, **BODY, features=32, units=1),
        "feature_editor": functools.partial(encoders.Fuser, 32, 1),
        "e4e": functools.partial(encoders.E4e, **sizes, **BODY, input_size=64),
    }
    return {role: load(build, networks[role].variables) for role, build in builders.items()}


@pytest.fixture(autouse=True)
def _without_gradients():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("count", [1, 3])
def test_generator_equals_torch(networks, reference, count):
    network, z = networks["generator"], draw(count, 32)
    ours = jit(network.module.apply)(network.variables, z)
    assert_near(ours, reference["generator"](torch.tensor(z)))


def test_e4e_equals_torch(networks, reference):
    network, images = networks["e4e"], draw(2, 64, 64, 3)
    assert_near(
        jit(network.module.apply)(network.variables, images), reference["e4e"](to_torch(images))
    )


@pytest.fixture(scope="module")
def predictions(networks, reference):
    """What both backbones read from a picture: ours, and PyTorch's."""
    network, images = networks["inverter"], draw(2, 64, 64, 3)
    predict = jit(lambda v, x: apply(network.module, v, x, method="predict"))
    ours = predict(network.variables, images)
    with torch.inference_mode():
        return ours, reference["inverter"].backbone(to_torch(images))


def test_backbone_codes_equal_torch(predictions):
    assert_near(predictions[0]["ws"], predictions[1][0])


def test_backbone_feature_equals_torch(predictions):
    assert_near(predictions[0]["feature"], predictions[1][1])


def test_fuser_equals_torch(networks, reference):
    network, first, second = networks["inverter"], draw(1, 16, 16, 32), draw(1, 16, 16, 32, seed=1)
    fuse = jit(lambda v, x, y: apply(network.module, v, x, y, method="fuse"))
    ours = fuse(network.variables, first, second)
    assert_near(ours, reference["inverter"].fuser(to_torch(first), to_torch(second)))


def test_edit_equals_torch(small_bundle, reference):
    method, variables = build_method(small_bundle, "sfe")
    generator = method.generator
    images, shift = draw(1, 64, 64, 3), draw(generator.num_ws, 32, seed=1)
    widths = {layer.name: layer.in_channels for layer in generator.layers}
    operands = identity(generator.num_ws, 32, style_channels=widths)
    operands = replace(operands, shift=jnp.asarray(shift[None]))

    def edit(variables, images):
        inversion = method.invert(variables, images)
        return method.edit(variables, inversion, operands, jnp.asarray([0.7]))

    sfe = editing.Sfe(**reference, input_size=64)
    theirs = sfe.edit(to_torch(images), torch.tensor(shift), 0.7)
    assert_near(jit(edit)(variables, images), theirs)


def test_inception_features_equal_torch():
    module = FidInception(narrowing=16, input_size=75)
    variables = random_variables(module, np.random.default_rng(0))
    images = draw(2, 64, 48, 3)
    ours = jit(lambda v, x: apply(module, v, resize_for_fid(x, 75))["features"])(variables, images)
    build = functools.partial(inception.Inception, narrowing=16, input_size=75)
    assert_near(ours, load(build, variables)(to_torch(images)))


def test_loading_refuses_arrays_of_another_network(networks):
    build = functools.partial(encoders.Fuser, 32, 2)
    with pytest.raises(RuntimeError, match=r"Missing key.*unit1\.branch"):
        load(build, networks["feature_editor"].variables)
