"""Every product of float32 numbers asks for all their bits, which on CPUs only a trace can show."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.pods.weights import CONFIGS, load_recipe
from sfe_jax.pipelines.bundle import ARCHITECTURES, abstract_variables, example_inputs
from sfe_jax.training.method import abstract_state
from sfe_jax.training.start import build_method
from tests.compiling import quick
from tests.configs.shrinking import BATCH, Noise, shrink, small_weights
from tests.lowering import pretend

PRODUCTS = ("dot_general", "conv_general_dilated")

BODY = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
CHANNELS = (8, 8, 8)
SMALL = {  # Architectures whose usual sizes take long to trace.
    "stylegan1_generator": {"channels": CHANNELS, "mapping_layers": 1},
    "stylegan2_generator": {"channels": CHANNELS, "mapping_layers": 1},
    "stylegan2_discriminator": {"channels": CHANNELS},
    "stylegan3_generator": {"channels": CHANNELS, "resolution": 16, "mapping_layers": 1},
    "psp_gradual_style_encoder": {**BODY, "num_styles": 8},
    "psp_w_encoder": BODY,
    "psp_w_plus_encoder": {**BODY, "num_styles": 8},
    "e4e_encoder": {**BODY, "num_styles": 8},
    "sfe_inverter": {**BODY, "num_styles": 2, "num_units": 1},
    "sfe_feature_editor": {"num_units": 1},
    "arcface": BODY,
    "face_features": {"attribute_names": ("smile",)},
    "curricular_face": BODY,
    "iresnet": BODY,
}
RECIPES = ("ffhq256_gan", "faces64_features", "ffhq1024_e4e")


def parts(value) -> Iterator:
    """Programs within a parameter of an operation."""
    for each in value if isinstance(value, tuple | list) else (value,):
        if hasattr(each, "jaxpr"):
            yield each.jaxpr
        elif hasattr(each, "eqns"):
            yield each


def hasty(program) -> Iterator[str]:
    """Products of float32 numbers in a program that are computed with fewer bits."""
    for operation in program.eqns:
        if operation.primitive.name in PRODUCTS and operation.invars[0].aval.dtype == jnp.float32:
            precision = operation.params["precision"]
            if precision is None or set(precision) != {jax.lax.Precision.HIGHEST}:
                yield str(operation)
        for value in operation.params.values():
            for part in parts(value):
                yield from hasty(part)


def hasty_products(function, *arguments):
    """Those of a function, under the rules of a run."""
    with quick():
        return list(hasty(jax.make_jaxpr(function)(*arguments).jaxpr))


def test_product_without_a_precision_is_found():
    x = np.ones((2, 2), np.float32)
    assert len(hasty_products(jax.checkpoint(lambda x: jax.lax.dot(x, x)), x)) == 1


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_network_multiplies_with_all_bits(monkeypatch, name):
    pretend(monkeypatch, "tpu")
    module = ARCHITECTURES[name](**SMALL.get(name, {}))
    variables = abstract_variables(module)
    assert not hasty_products(module.apply, variables, *example_inputs(module))


@pytest.fixture(scope="module")
def weights():
    return small_weights()


@pytest.mark.parametrize("name", RECIPES)
def test_phases_multiply_with_all_bits(weights, name, monkeypatch):
    pretend(monkeypatch, "gpu")
    recipe = shrink(load_recipe(CONFIGS / f"{name}.py"))
    method = build_method(recipe, weights, labels=0)
    with quick():
        state = abstract_state(method)
    for phase in method.phases:
        operands = (state, method.frozen, Noise().batch(BATCH), jax.random.key(0))
        assert not hasty_products(phase.run, *operands)
