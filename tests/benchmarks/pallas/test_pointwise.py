import importlib.util

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import SingleDeviceSharding

from benchmarks import pallas
from benchmarks.pallas import pointwise as own
from benchmarks.pods.targets import open_pod
from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.ops import bias_act as xla
from tests.benchmarks.cuda.comparing import assert_same, normal, with_slopes
from tests.benchmarks.cuda.test_pointwise import plain_epilogue
from tests.compiling import jit

INTERPRETED = own.kernels(interpret=True)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 128 pixels, so that a small picture has several, the last one not full."""
    monkeypatch.setattr(own, "BLOCK_NUMBERS", 1)


@pytest.mark.parametrize("activation", ["lrelu", "swish"])
def test_bias_act_and_its_slopes_equal_xla(activation):
    x, bias = normal(2, 3, 5, 12), normal(12, seed=1)
    options = {"activation": activation, "gain": 1.3, "clamp": 0.9}
    found, expected = (
        with_slopes(lambda x, b, form=form: form(x, b, **options), x, bias)
        for form in (INTERPRETED.bias_act, xla.bias_act)
    )
    assert_same(found, expected)


@pytest.mark.parametrize("noises", [1, 3])
def test_epilogue_and_its_slopes_equal_xla_in_several_blocks(small_blocks, noises):
    arguments = (
        *(normal(3, 15, 13, 5), normal(3, 5, seed=2)),
        *(normal(noises, 15, 13, 1, seed=3), normal(5, seed=4)),
    )
    found, expected = (
        with_slopes(form, *arguments) for form in (INTERPRETED.epilogue, plain_epilogue)
    )
    assert_same(found, expected)


def test_epilogue_takes_and_gives_bfloat16():
    x = normal(1, 3, 3, 8, dtype=jnp.bfloat16)
    found, expected = INTERPRETED.epilogue(x), xla.bias_act(x.astype(jnp.float32))
    assert found.dtype == jnp.bfloat16
    assert_same(found, expected, tolerance=2**-8)


def test_stylegan2_of_the_kernels_equals_xla():
    generator = Generator(channels=(6, 4), z_dim=4, w_dim=4, mapping_layers=1)
    codes = normal(2, 4)
    variables = jit(generator.init)(jax.random.key(0), codes)

    def draw(variables, z):
        return apply(generator, variables, z)

    expected = jit(lambda *a: draw(*a))(variables, codes)
    with pallas.installed(interpret=True):
        found = jit(lambda *a: draw(*a))(variables, codes)
    assert_same(found, expected, tolerance=1e-5)


def test_installed_refuses_without_a_tpu():
    with pytest.raises(OptionError, match="need a TPU"), pallas.installed():
        pass


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed")
@pytest.mark.parametrize(("pixels", "channels"), [(100, 32), (16, 512)])
def test_slopes_of_slopes_compile_for_a_tpu_that_is_not_there(pixels, channels):
    place = SingleDeviceSharding(open_pod("v5e:2x2").devices.flat[0])
    kernels = own.kernels()

    def total(*arguments):
        y = kernels.epilogue(*arguments, activation="swish", clamp=256.0)
        return jnp.sum(jnp.square(y.astype(jnp.float32)))

    def power(*arguments):
        slopes = jax.grad(total, (0, 1, 2, 3))(*arguments)
        return sum(jnp.sum(jnp.square(slope.astype(jnp.float32))) for slope in slopes)

    shapes = ((2, pixels, pixels, channels), (2, channels), (1, pixels, pixels, 1), (channels,))
    types = (jnp.bfloat16, jnp.float32, jnp.float32, jnp.float32)
    arguments = [
        jax.ShapeDtypeStruct(shape, dtype, sharding=place)
        for shape, dtype in zip(shapes, types, strict=True)
    ]
    program = jax.jit(jax.grad(power, (0, 1, 2, 3))).lower(*arguments).compile()
    assert "tpu_custom_call" in program.as_text()
