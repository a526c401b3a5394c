"""Times programs on one device: compiled apart, warmed up, blocked, medians with their spread."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measuring.flops import count_flops
from sfe_jax.core.precision import product_precision
from sfe_jax.ops.convolution import convolve


@dataclass(frozen=True)
class Spread:
    """Median and range of repeated runs."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Median and range of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def seconds(function: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that one run takes by a clock; JAX's arrays are waited for."""
    start = clock()
    jax.block_until_ready(function())
    return clock() - start


def alternate(
    functions: Mapping[str, Callable[[], Any]],
    *,
    repeats: int,
    rest_s: float = 0.3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Times functions turn by turn, so that what else the machine does falls on all of them.

    Args:
        functions: By name; each waits for its own result, or gives JAX's arrays.
        repeats: Timed runs of each after one warm-up.
        rest_s: Pause before each run, in which the threads of the one before go to sleep.
        clock: Gives seconds; `time.process_time` counts those of this process's threads alone.

    Returns:
        Name -> seconds of its runs; run i of all names lie side by side in time.
    """
    runs: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        jax.block_until_ready(function())
    for _ in range(repeats):
        for name, function in functions.items():
            time.sleep(rest_s)
            runs[name].append(seconds(function, clock))
    return runs


@dataclass(frozen=True)
class Timing:
    """One program's times."""

    name: str  # What was timed.
    gflop: float  # Of the plain mathematics.
    compile_s: float  # Tracing, lowering and compiling, without the cache.
    cached_s: float  # The same again, from the persistent cache.
    median_s: float  # Of the repeats after one warm-up.
    least_s: float  # Fastest repeat.
    most_s: float  # Slowest repeat.

    @property
    def tflops(self) -> float:
        """TFLOP/s at the median."""
        return self.gflop / self.median_s / 1e3


def compile_apart(
    function: Callable, *arguments: Any, donate: Sequence[int] = ()
) -> tuple[Any, float]:
    """The compiled program and the seconds it took, with nothing left in memory from before.

    Args:
        function: Pure, to be jitted.
        *arguments: Its arguments, or their shapes.
        donate: Numbers of the arguments in whose memory results may be written.
    """
    jax.clear_caches()
    start = time.perf_counter()
    compiled = jax.jit(function, donate_argnums=tuple(donate)).lower(*arguments).compile()
    return compiled, time.perf_counter() - start


def measure(name: str, function: Callable, *arguments: Any, repeats: int) -> tuple[Timing, Any]:
    """Compiles a function cold and from the cache, then times it.

    Args:
        name: What it is.
        function: Pure, to be jitted.
        *arguments: Its arguments.
        repeats: Timed runs after one warm-up.

    Returns:
        The times, and the function's result.
    """
    _, cold = compile_apart(function, *arguments)
    compiled, cached = compile_apart(function, *arguments)
    result = jax.block_until_ready(compiled(*arguments))
    runs = spread([seconds(partial(compiled, *arguments)) for _ in range(repeats)])
    gflop = count_flops(function, *arguments) / 1e9
    return Timing(name, gflop, cold, cached, runs.median, runs.least, runs.most), result


def ceilings(repeats: int) -> Iterator[Timing]:
    """The fastest products of the device: a matrix product and a wide 3x3 convolution."""
    rng = np.random.default_rng(0)
    a, b = (jnp.asarray(rng.standard_normal(s, np.float32)) for s in ((4096, 2048), (2048, 2048)))
    x = jnp.asarray(rng.standard_normal((1, 64, 64, 96), np.float32))
    kernel = jnp.asarray(rng.standard_normal((3, 3, 96, 512), np.float32))
    precision = product_precision(a.dtype)
    product = partial(jnp.matmul, precision=precision)
    yield measure("matrix product", product, a, b, repeats=repeats)[0]
    yield measure("3x3 convolution", convolve, x, kernel, repeats=repeats)[0]


def best_rate(tops: Sequence[Timing]) -> float:
    """GFLOP/s of the fastest repeat of all `ceilings`."""
    return max(top.gflop / top.least_s for top in tops)


def processors() -> int:
    """Processors that this process may use; XLA's pool has as many threads."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
