"""What the device can do at best, measured in the same run: a copy, and a product in each type."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.measuring.rows import Row
from benchmarks.measuring.timing import seconds

PRECISIONS = {
    "float32": (jnp.float32, lax.Precision.HIGHEST),
    "TF32": (jnp.float32, lax.Precision.DEFAULT),
    "bfloat16": (jnp.bfloat16, lax.Precision.DEFAULT),
}
"""Type of the numbers, and precision of their products, by the name of a type."""


@dataclass(frozen=True)
class Limits:
    """Ceilings of the device."""

    gb_per_s: float  # Read and written by a copy.
    gflop_per_s: dict[str, float]  # By the name of a type.

    def least_s(self, *, gflop: float, gigabytes: float, number: str) -> float:
        """Least seconds for so much work with numbers of a type: its roofline."""
        return max(gflop / self.gflop_per_s[number], gigabytes / self.gb_per_s)

    def rows(self) -> tuple[Row, ...]:
        """The ceilings as rows."""
        copy = Row("ceiling, copy", "XLA", {"GB/s": self.gb_per_s})
        rates = self.gflop_per_s.items()
        products = [Row(f"ceiling, {n} product", "XLA", {"GFLOP/s": rate}) for n, rate in rates]
        return (copy, *products)


def _least_s(function: Callable, repeats: int) -> float:
    """Seconds of the fastest run after a warm-up."""
    return min(seconds(function) for _ in range(repeats + 1))


def copy_rate(size: int, repeats: int) -> float:
    """GB/s that a pass over `size` numbers of 4 bytes reads and writes."""
    x = jnp.zeros(size)
    program = jax.jit(lambda x: x + 1).lower(x).compile()
    return 8e-9 * size / _least_s(partial(program, x), repeats)


def product_rate(number: str, side: int, repeats: int) -> float:
    """GFLOP/s of a product of square matrices."""
    dtype, precision = PRECISIONS[number]
    a = jax.random.normal(jax.random.key(0), (side, side)).astype(dtype)
    program = jax.jit(partial(jnp.matmul, precision=precision)).lower(a, a).compile()
    return 2e-9 * side**3 / _least_s(partial(program, a, a), repeats)


def number_types() -> tuple[str, ...]:
    """Types that are worth telling apart on this device; TF32 is of GPUs."""
    names = tuple(PRECISIONS)
    return names if jax.default_backend() == "gpu" else (names[0], names[2])


def measure_limits(*, quick: bool, repeats: int) -> Limits:
    """Measures the ceilings; fastest of some runs."""
    host = jax.default_backend() == "cpu"
    size, side = (1 << 26, 2048) if host else (1 << 28, 8192)
    if quick:
        size, side = 1 << 22, 512
    rates = {number: product_rate(number, side, repeats) for number in number_types()}
    return Limits(copy_rate(size, repeats), rates)
