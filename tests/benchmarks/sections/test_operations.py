import jax.numpy as jnp
import pytest

from benchmarks.sections import operation_table
from benchmarks.sections.operations import ORDERS, QUICK, make_case, operations

SIZE = (2, 8, 4)
NO_RIVALS = {"PyTorch, eager": "", "CUDA, ours": "", "Pallas, ours": "", "NVIDIA's kernels": ""}


def test_every_map_is_measured_in_a_quick_run():
    names = {operation.name for operation, _ in operations(QUICK)}
    assert len(names) == len(operation_table.MAPS) + 1


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
