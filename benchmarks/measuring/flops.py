"""Counts the arithmetic of a program from its jaxpr: what the mathematics asks for, in FLOPs.

A convolution or matrix product counts two operations per multiplication; products with the zeros
that a dilated input holds do not count. Where a platform selects among equal forms, the plain form
counts, so that the figure does not depend on the platform.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


def _shape(variable: Any) -> tuple[int, ...]:
    """Shape of an operand or result."""
    return variable.aval.shape


def _convolution(equation: JaxprEqn) -> int:
    kernel = _shape(equation.invars[1])
    numbers = equation.params["dimension_numbers"]
    inputs = math.prod(kernel[i] for i in numbers.rhs_spec[1:])  # Taps times input channels.
    zeros = math.prod(equation.params["lhs_dilation"])
    return 2 * math.prod(_shape(equation.outvars[0])) * inputs // zeros


def _product(equation: JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = _shape(equation.invars[0])
    return 2 * math.prod(_shape(equation.outvars[0])) * math.prod(shape[i] for i in contracted)


def _inner(equation: JaxprEqn) -> int:
    """FLOPs of the programs inside an equation."""
    repeats = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
    total = 0
    for value in equation.params.values():
        if isinstance(value, ClosedJaxpr):
            total += count_jaxpr(value.jaxpr)
        elif isinstance(value, Jaxpr):
            total += count_jaxpr(value)
    return repeats * total


def count_jaxpr(jaxpr: Jaxpr) -> int:
    """FLOPs of the convolutions and matrix products of a jaxpr."""
    count = {"conv_general_dilated": _convolution, "dot_general": _product}
    return sum(count.get(e.primitive.name, _inner)(e) for e in jaxpr.eqns)


def count_flops(function: Callable, *arguments) -> int:
    """FLOPs of `function` on arguments of the given shapes, whatever form a platform would take."""
    with jax.default_device("gpu"):  # Its forms multiply as the mathematics is written.
        return count_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)
