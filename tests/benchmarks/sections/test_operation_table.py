import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.forms import as_float32, difference
from benchmarks.sections import operation_table
from benchmarks.sections.operations import gradient
from sfe_jax.core.trees import apply
from sfe_jax.models.layer_table import Layer
from sfe_jax.models.stylegan2 import StyledConv
from sfe_jax.ops.modulated_conv import demodulation, modulated_conv
from tests.compiling import jit

SIZE = (2, 8, 4)


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def test_only_products_are_measured_in_tf32():
    assert operation_table.modulated_conv(SIZE).products
    assert not operation_table.blur(SIZE).products


def test_our_epilogue_is_how_a_styled_layer_ends():
    kernel, noise, bias, strength = normal(3, 3, 4, 4), normal(8, 8), normal(4), normal()
    parameters = {"kernel": kernel, "bias": bias, "noise_strength": strength}
    variables = {"params": parameters, "buffers": {"noise_const": noise}}
    module = StyledConv(Layer("b8.conv1", "conv", 8, 4, 4, row=2, offset=0), w_dim=4)
    x, style = normal(2, 8, 8, 4, seed=1), 1 + normal(2, 4, seed=2)

    def parts(x, style):
        y = modulated_conv(x, kernel, style, demodulate=False)
        scaled_noise = strength * noise[None, :, :, None]
        ours = operation_table.epilogue(SIZE).ours
        return ours(y, demodulation(kernel, style), scaled_noise, bias)

    found = jit(lambda x, style: [parts(x, style)])(x, style)
    expected = jit(lambda x, style: [apply(module, variables, x, style)])(x, style)
    assert difference(as_float32(found), as_float32(expected)) < 1e-6


def test_slopes_of_our_epilogue_are_summed_in_more_than_16_bits():
    operation = operation_table.epilogue((4, 32, 8))
    wide = [each.mean + normal(*each.shape, seed=i) for i, each in enumerate(operation.inputs)]
    given = [
        x if each.full else x.astype(jnp.bfloat16)
        for x, each in zip(wide, operation.inputs, strict=True)
    ]
    slopes = jax.jit(gradient(operation.ours, 4))
    expected = as_float32(slopes(*(x.astype(jnp.float32) for x in given)))
    assert difference(as_float32(slopes(*given)), expected) < 0.02
