import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.measuring.forms import difference
from benchmarks.rivals import plain
from benchmarks.rivals.swapping import swapped, tensor_float
from benchmarks.sections import operation_table
from benchmarks.sections.operations import ORDERS, QUICK, make_case, operations
from sfe_jax.nn.equalized import EqualizedConv
from sfe_jax.ops import convolution, filtered_lrelu, modulated_conv, upfirdn2d

SIZE = (2, 8, 4)
NO_RIVALS = {"PyTorch, eager": "", "CUDA, ours": "", "Pallas, ours": "", "NVIDIA's kernels": ""}


def results(function, *arguments):
    return [np.asarray(x) for x in jax.tree.leaves(jax.jit(function)(*arguments))]


def normal(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize("options", [{"up": 2, "gain": 4.0}, {"down": 2}, {"flip_filter": True}])
@pytest.mark.parametrize("taps", [[[1, 2], [3, 4], [5, 6]], [1, 2, 3]])
def test_plain_resampling_is_the_library_s(taps, options):
    f, x, sides = np.array(taps, np.float32), normal(1, 6, 7, 3), (2, 1, 0, 3)
    found, expected = results(
        lambda x: [each.upfirdn2d(x, f, padding=sides, **options) for each in (plain, upfirdn2d)], x
    )
    assert difference([found], [expected]) < 1e-6


def test_plain_filtered_lrelu_is_the_library_s():
    x, bias, f = normal(1, 8, 8, 3), normal(3, seed=1), operation_table.kaiser()
    options = {"up_filter": f, "down_filter": f, "up": 2, "down": 2, "padding": (11, 10, 11, 10)}
    forms = (plain.filtered_lrelu, filtered_lrelu.filtered_lrelu)
    found, expected = results(lambda *a: [f(*a, clamp=0.5, **options) for f in forms], x, bias)
    assert difference([found], [expected]) < 1e-5


def test_every_map_is_measured_in_a_quick_run():
    names = {operation.name for operation, _ in operations(QUICK)}
    assert len(names) == len(operation_table.MAPS) + 1


def test_tf32_is_measured_where_matrices_are_multiplied():
    assert operation_table.modulated_conv(SIZE).products
    assert not operation_table.blur(SIZE).products


def test_second_order_is_the_gradient_of_the_squared_gradient():
    x = jnp.array([2.0])
    (found,) = ORDERS["second order"](lambda x: x * x, 1)(x)
    # Loss (x^2 - 1)^2 / 2, slope g = 2 x (x^2 - 1), and the gradient of g^2 / 2 is g (6 x^2 - 2).
    assert float(found[0]) == pytest.approx(12.0 * 22.0)


def test_case_counts_inputs_and_results_once():
    case = make_case(operation_table.blur(SIZE), "forward", "bfloat16", NO_RIVALS)
    assert case.gigabytes == pytest.approx(2 * 2 * 2 * 8 * 8 * 4 / 1e9)


def test_absent_rivals_are_no_forms():
    case = make_case(operation_table.blur(SIZE), "forward", "float32", NO_RIVALS)
    assert list(case.forms) == ["XLA, ours", "XLA, plain"]


class TestSwapping:
    """Other functions in the place of the library's."""

    def test_functions_of_a_module_are_replaced(self):
        def doubled(*arguments, **options):
            return 2.0

        with swapped({convolution.convolve: doubled}):
            assert modulated_conv.convolve is doubled

    def test_tables_of_functions_are_replaced(self):
        layer, x = EqualizedConv(3), normal(1, 4, 4, 2)
        variables = layer.init(jax.random.key(0), x)
        with swapped({convolution.convolve: lambda x, kernel: jnp.zeros((1, 4, 4, 3))}):
            assert not layer.apply(variables, x).any()

    def test_functions_come_back(self):
        before = modulated_conv.convolve
        with swapped({convolution.convolve: lambda: None}):
            pass
        assert modulated_conv.convolve is before

    def test_tensor_float_asks_for_fast_products(self):
        x, kernel = normal(1, 8, 8, 2), normal(3, 3, 2, 2)
        with tensor_float():
            program = jax.make_jaxpr(lambda x, k: convolution.convolve(x, k))(x, kernel)
        assert "HIGHEST" not in str(program)

    def test_plain_operations_make_a_grouped_convolution(self):
        x, kernel, styles = normal(2, 8, 8, 4), normal(3, 3, 4, 4), normal(2, 4)
        with plain.installed():
            program = jax.make_jaxpr(lambda x, k, s: modulated_conv.modulated_conv(x, k, s))(
                x, kernel, styles
            )
        assert "feature_group_count=2" in str(program)
