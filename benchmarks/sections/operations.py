"""Section `operations`: each operation of StyleGAN alone, in every form that runs here.

Each is measured forward; with its gradient, that of half the squared distance of the result from 1
by all arguments; and to second order, the gradient of half the square of the gradient by the first
argument, as R1 and path lengths have it. The distance is from 1 since that from 0 hardly depends
on styles: a modulated convolution gives results of one size.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.forms import Arrays, Case, Form, as_float32, jax_form, measure_case
from benchmarks.measuring.limits import PRECISIONS, Limits, measure_limits, number_types
from benchmarks.measuring.rows import OURS, Options, Row, Section
from benchmarks.rivals import torch_forms
from benchmarks.rivals.competing import (
    COMPILED,
    NVIDIA,
    PLAIN,
    TORCH,
    absent,
    absent_rows,
    epilogues,
    kernel_forms,
    within,
)
from benchmarks.rivals.swapping import tensor_float
from benchmarks.sections.operation_table import MAPS, Operation, Size, minibatch_std
from sfe_jax.core.types import Array

TEXT = (
    "Times are medians of calls on fresh inputs, with the least and the most; the forms of a case "
    "take turns, and `times ours` compares within a turn. The gradient is that of half the squared "
    "distance from 1 by all arguments; second order is the gradient of half the square of the "
    "gradient by the first argument. `GFLOP/s` and `GB/s` are the work of the case over the time: "
    "the FLOPs that XLA counts in the plain form as it is written, and every input and result "
    "once. `% of roof` is the least time for this work at the ceilings, measured in the same run, "
    "over the time. `GB moved` is what the kernels of the compiled program read and write, "
    '`kernels` how many are launched; "Alone" names those that do one thing only. `error` is the '
    "root of the squared differences to the plain form in float32 over that of its squares; a form "
    "beyond the tolerance is not timed."
)

TOLERANCES = {"float32": 2e-5, "TF32": 5e-3, "bfloat16": 5e-2}
"""Largest error by type: roundings of 24 bits in another order; of 11 bits; of 8 bits, which also
turn some signs before a leaky ReLU."""

Sizes = Mapping[str, tuple[Size, ...]]
"""Type of numbers -> sizes of maps."""

QUICK: Sizes = {"float32": ((2, 16, 8),)}

HOST: Sizes = {"float32": ((1, 128, 32), (4, 32, 128)), "bfloat16": ((4, 32, 128),)}
"""For a CPU, where bfloat16 has no fast path."""

DEVICE_SIZES: tuple[Size, ...] = ((8, 512, 64), (8, 256, 128), (32, 64, 512), (64, 8, 512))
DEVICE: Sizes = dict.fromkeys(PRECISIONS, DEVICE_SIZES)
"""From the largest map of a generator to its small ones."""


def half_square(y: Array, target: float = 0.0) -> Array:
    """Half the sum of squared distances from `target`, in float32."""
    return jnp.sum(jnp.square(y.astype(jnp.float32) - target)) / 2


def gradient(function: Callable, count: int) -> Callable:
    """Gradient of half the squared distance of the result from 1 by all `count` arguments."""
    return jax.grad(lambda *given: half_square(function(*given), 1.0), tuple(range(count)))


def second(function: Callable, count: int) -> Callable:
    """Gradient of half the square of the gradient by the first argument, by all arguments."""

    def penalty(*arguments: Array) -> Array:
        slope = jax.grad(lambda *given: half_square(function(*given), 1.0))(*arguments)
        return half_square(slope)

    return jax.grad(penalty, tuple(range(count)))


ORDERS: dict[str, Callable[[Callable, int], Callable]] = {
    "forward": lambda function, _: function,
    "gradient": gradient,
    "second order": second,
}
"""From a function and the number of its arguments to what is run."""


def _draw(operation: Operation, dtype: Any, key: Array) -> Arrays:
    """Inputs of an operation."""
    keys = jax.random.split(key, len(operation.inputs))
    return tuple(
        (each.mean + jax.random.normal(k, each.shape)).astype(jnp.float32 if each.full else dtype)
        for k, each in zip(keys, operation.inputs, strict=True)
    )


def _in_float32(function: Callable, arrays: Arrays) -> list[np.ndarray]:
    """Results of a function on the same numbers in float32."""
    return as_float32(jax.jit(function)(*(x.astype(jnp.float32) for x in arrays)))


def _torch_forms(
    operation: Operation, order: str, number: str, *, compiled: bool
) -> dict[str, Form]:
    """Forms of PyTorch; it does not compile what is differentiated twice."""
    kinds = [each.kind for each in operation.inputs]
    make = partial(
        torch_forms.torch_form,
        operation.torch,
        order=torch_forms.ORDERS[order],
        kinds=kinds,
        results=["image"] if order == "forward" else kinds,
        number=number,
    )
    forms = {TORCH: make(), f"{TORCH}, channels last": make(last=True)}
    if compiled and order != "second order":
        forms[COMPILED] = make(compiled=True)
    return forms


def forms(
    operation: Operation, order: str, number: str, reasons: Mapping[str, str]
) -> dict[str, Form]:
    """Every form of an operation that runs here."""
    count, change = len(operation.inputs), ORDERS[order]
    ours = jax_form(change(operation.ours, count))
    found = {
        OURS: ours,
        PLAIN: jax_form(change(operation.plain, count)),
        **kernel_forms(ours, reasons),
    }
    if operation.epilogue:
        for name, function in epilogues(reasons).items():
            found[name] = jax_form(change(function, count))
    if number == "TF32":
        found = {name: within(tensor_float, form) for name, form in found.items()}
    if TORCH not in reasons:
        found |= _torch_forms(operation, order, number, compiled=COMPILED not in reasons)
    if NVIDIA not in reasons and operation.original is not None:
        kinds = [each.kind for each in operation.inputs]
        results = ["image"] if order == "forward" else kinds
        found[NVIDIA] = torch_forms.torch_form(
            operation.original,
            order=torch_forms.ORDERS[order],
            kinds=kinds,
            results=results,
            number=number,
        )
    return found


def flops(function: Callable, *arguments: Any) -> float:
    """FLOPs that XLA counts in a program before it is optimised; the same on every device."""
    with jax.default_device(jax.devices("cpu")[0]):  # Others may not count.
        counted: Any = jax.jit(function).lower(*arguments).cost_analysis()
    return counted["flops"]


def case_name(operation: Operation, order: str, number: str) -> str:
    """One operation at one size, in one type, to one order."""
    return f"{operation.name}, {operation.shape}, {number}, {order}"


def make_case(operation: Operation, order: str, number: str, reasons: Mapping[str, str]) -> Case:
    """The case of that name."""
    dtype, _ = PRECISIONS[number]
    draw = partial(_draw, operation, dtype)
    written = ORDERS[order](operation.plain, len(operation.inputs))
    arguments = jax.eval_shape(draw, jax.random.key(0))
    results = jax.tree.leaves(jax.eval_shape(written, *arguments))
    moved = sum(math.prod(x.shape) * x.dtype.itemsize for x in (*arguments, *results))
    return Case(
        name=case_name(operation, order, number),
        draw=draw,
        forms=forms(operation, order, number, reasons),
        reference=PLAIN if number == "float32" else partial(_in_float32, written),
        tolerance=TOLERANCES[number],
        number=number,
        gflop=flops(written, *arguments) / 1e9,
        gigabytes=moved / 1e9,
    )


def device_sizes(*, quick: bool) -> Sizes:
    """Sizes of maps for this device."""
    return QUICK if quick else HOST if jax.default_backend() == "cpu" else DEVICE


def operations(sizes: Sizes) -> Iterator[tuple[Operation, str]]:
    """Every operation at every size, with the type of its numbers."""
    for number in number_types():
        for size in sizes.get(number, ()):
            for make in MAPS:
                operation = make(size)
                if number != "TF32" or operation.products:
                    yield operation, number
        if number in sizes and number != "TF32":
            yield minibatch_std((4, 4, 16) if sizes is QUICK else (32, 4, 512)), number


def names(*, quick: bool) -> list[str]:
    """Names of all cases."""
    chosen = list(operations(device_sizes(quick=quick)))
    return [case_name(each, order, number) for each, number in chosen for order in ORDERS]


def measure(
    chosen: Iterator[tuple[Operation, str]], options: Options, limits: Limits
) -> Iterator[Row]:
    """Rows of operations, to all orders; says on standard error how far it is."""
    reasons = absent(options.originals)
    if options.quick and TORCH not in reasons:
        reasons[COMPILED] = "Left out of a quick run: it compiles for seconds a case."
    yield from absent_rows(reasons)
    for operation, number in chosen:
        for order in ORDERS:
            if not options.chooses(case_name(operation, order, number)):
                continue
            case = make_case(operation, order, number, reasons)
            print(case.name, file=sys.stderr, flush=True)
            yield from measure_case(case, repeats=options.repeats, limits=limits)


def section(options: Options) -> Section:
    """Measures every operation."""
    sizes = device_sizes(quick=options.quick)
    limits = measure_limits(quick=options.quick, repeats=options.repeats)
    rows = (*limits.rows(), *measure(operations(sizes), options, limits))
    return Section("Operations", TEXT, rows)
