import jax
import jax.numpy as jnp

from benchmarks.rivals.swapping import swapped, tensor_float
from sfe_jax.nn.equalized import EqualizedConv
from sfe_jax.ops import convolution, modulated_conv


def test_functions_of_a_module_are_replaced():
    def doubled(*arguments, **options):
        return 2.0

    with swapped({convolution.convolve: doubled}):
        assert modulated_conv.convolve is doubled


def test_tables_of_functions_are_replaced():
    layer, x = EqualizedConv(3), jnp.ones((1, 4, 4, 2))
    variables = layer.init(jax.random.key(0), x)
    with swapped({convolution.convolve: lambda x, kernel: jnp.zeros((1, 4, 4, 3))}):
        assert not layer.apply(variables, x).any()


def test_functions_come_back():
    before = modulated_conv.convolve
    with swapped({convolution.convolve: lambda: None}):
        pass
    assert modulated_conv.convolve is before


def test_tensor_float_asks_for_fast_products():
    x, kernel = jnp.ones((1, 8, 8, 2)), jnp.ones((3, 3, 2, 2))
    with tensor_float():
        program = jax.make_jaxpr(lambda x, k: convolution.convolve(x, k))(x, kernel)
    assert "HIGHEST" not in str(program)
