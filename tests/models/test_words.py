"""What generators and the discriminator say and refuse alike."""

import jax
import jax.numpy as jnp
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.models import stylegan1, stylegan2, stylegan3
from sfe_jax.models.discriminator import Discriminator

CODES = {"z_dim": 4, "w_dim": 5, "mapping_layers": 1}
ALIAS_FREE = {"channels": (4, 4, 4), "resolution": 16, "num_critical": 1, "margin": 2}

GENERATORS = {
    "stylegan1": (stylegan1.Generator, {"channels": (4, 4), **CODES}),
    "stylegan2": (stylegan2.Generator, {"channels": (4, 4), **CODES}),
    "stylegan3": (stylegan3.Generator, {**ALIAS_FREE, **CODES}),
}


def shapes(module, *inputs, **options):
    """Shapes of the variables of a network, of inputs of these shapes."""
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs]
    return jax.eval_shape(lambda *x: module.init(jax.random.key(0), *x, **options), *arrays)


@pytest.mark.parametrize("name", GENERATORS)
def test_code_sizes_are_those_of_the_styles(name):
    cls, fields = GENERATORS[name]
    module = cls(**fields)
    ws = jax.ShapeDtypeStruct((1, module.num_ws, 5), jnp.float32)
    variables = shapes(module, (1, 4))
    found = jax.eval_shape(lambda v, ws: module.apply(v, ws, method="styles"), variables, ws)
    sizes = {layer: style.shape[1] for layer, style in found.items()}
    assert module.code_sizes == {"num_ws": module.num_ws, "w_dim": 5, "style_channels": sizes}


@pytest.mark.parametrize("name", GENERATORS)
def test_an_unknown_precision_of_a_generator_is_refused(name):
    cls, fields = GENERATORS[name]
    with pytest.raises(OptionError, match="`precision` is 'float16'"):
        shapes(cls(**fields, precision="float16"), (1, 4))


@pytest.mark.parametrize("name", GENERATORS)
def test_an_unknown_noise_mode_is_refused(name):
    cls, fields = GENERATORS[name]
    with pytest.raises(OptionError, match="`noise_mode` is 'stored'"):
        shapes(cls(**fields), (1, 4), noise_mode="stored")


def test_an_unknown_architecture_of_a_generator_is_refused():
    cls, fields = GENERATORS["stylegan2"]
    with pytest.raises(OptionError, match=r"`architecture` is 'unet'.*'skip', 'resnet', 'orig'"):
        shapes(cls(**fields, architecture="unet"), (1, 4))


@pytest.mark.parametrize("fields", [{"precision": "bf16"}, {"architecture": "unet"}])
def test_an_unknown_word_of_a_discriminator_is_refused(fields):
    with pytest.raises(OptionError, match=f"`{next(iter(fields))}` is '"):
        shapes(Discriminator(channels=(4, 4), **fields), (4, 8, 8, 3))
