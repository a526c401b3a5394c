"""Filtered leaky ReLU by one CUDA kernel, whose middle map never reaches memory.

For the derivative the kernel also writes the signs of the middle map, two bits a number. Under
them the slope by the input is the same chain with the adjoint resamplings, linear in its input; and
the slope of that is again such a chain. So reverse derivatives of any order are of two kernels.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cuda.bands import Resampling
from benchmarks.cuda.resampling import plan
from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.ops.filtered_lrelu import Sides

Leaky = dict[str, np.float32]
"""Slope, gain and clamp of the leaky ReLU, as the kernels are told."""


class Chain(NamedTuple):
    """Upsampling, something pointwise, downsampling."""

    up: Resampling
    down: Resampling
    leaky: Leaky

    def adjoint(self) -> "Chain":
        """Both resamplings transposed, in the other order."""
        return Chain(self.down.adjoint(), self.up.adjoint(), self.leaky)

    def call(self, target: str, x: Array, other: Array, *, keep: bool = False) -> list[Array]:
        """Calls a kernel: x [N, H, W, C] and bias [C] or signs -> [y], with the signs if kept."""
        (up, up_taps), (down, down_taps) = self.up.tables(), self.down.tables()
        samples, channels = x.shape[0], x.shape[3]
        sizes = (samples, self.down.rows.size, self.down.columns.size, channels)
        middle = (samples, self.up.rows.size, self.up.columns.size, -(-channels // 4))
        results = [jax.ShapeDtypeStruct(sizes, x.dtype)]
        if keep:
            results.append(jax.ShapeDtypeStruct(middle, jnp.uint8))
        kernel = jax.ffi.ffi_call(target, results, vmap_method="sequential")
        return list(kernel(x, other, up_taps, down_taps, up=up, down=down, **self.leaky))


def _bend_by_signs(x: Array, signs: Array, chain: Chain) -> Array:
    """D (slope . (U x)) under given signs; linear in x."""

    @jax.custom_vjp
    def run(x: Array, signs: Array) -> Array:
        return chain.call("sfe_filtered_backward", x, signs)[0]

    run.defvjp(
        lambda x, signs: (run(x, signs), signs),
        lambda signs, g: (_bend_by_signs(g, signs, chain.adjoint()), None),
    )
    return run(x, signs)


def _pull_back(chain: Chain, signs: Array, g: Array) -> tuple[Array, Array]:
    """Slopes by x and bias."""
    dx = _bend_by_signs(g, signs, chain.adjoint())
    return dx, jnp.sum(dx, axis=(0, 1, 2), dtype=jnp.float32)


def _bend_keeping_signs(x: Array, bias: Array, chain: Chain) -> tuple[Array, Array]:
    """D phi(U (x + bias)), and the signs of its middle map [N, h, w, ceil(C / 4)]."""

    @jax.custom_vjp
    def run(x: Array, bias: Array) -> tuple[Array, Array]:
        y, signs = chain.call("sfe_filtered_keeping_signs", x, bias, keep=True)
        return y, signs

    def forward(x: Array, bias: Array) -> tuple[tuple[Array, Array], Array]:
        y, signs = run(x, bias)
        return (y, signs), signs

    run.defvjp(forward, lambda signs, g: _pull_back(chain, signs, g[0]))
    return run(x, bias)


def _bend(x: Array, bias: Array, chain: Chain) -> Array:
    """D phi(U (x + bias)); signs are kept only where a derivative is taken."""

    @jax.custom_vjp
    def run(x: Array, bias: Array) -> Array:
        return chain.call("sfe_filtered_forward", x, bias)[0]

    run.defvjp(
        lambda x, bias: _bend_keeping_signs(x, bias, chain),
        lambda signs, g: _pull_back(chain, signs, g),
    )
    return run(x, bias)


def filtered_lrelu(
    x: Array,
    bias: Array | None = None,
    *,
    up_filter: np.ndarray | None = None,
    down_filter: np.ndarray | None = None,
    up: int = 1,
    down: int = 1,
    padding: Sides = (0, 0, 0, 0),
    slope: float = 0.2,
    gain: float = math.sqrt(2),
    clamp: float | None = None,
) -> Array:
    """`sfe_jax.ops.filtered_lrelu.filtered_lrelu` in one CUDA kernel; reverse derivatives.

    Arguments, result and errors are those of the original; sums are in float32 here.
    """
    check_shape("x", x.shape, (None, None, None, None))
    if bias is None:
        bias = jnp.zeros(x.shape[-1:], x.dtype)
    check_shape("bias", bias.shape, x.shape[-1:])
    _, height, width, _ = x.shape
    first = plan(height, width, up_filter, up=up, padding=padding, gain=float(up**2))
    second = plan(first.rows.size, first.columns.size, down_filter, down=down)
    leaky = {"slope": slope, "gain": gain, "clamp": math.inf if clamp is None else clamp}
    chain = Chain(first, second, {name: np.float32(value) for name, value in leaky.items()})
    return _bend(x, bias.astype(jnp.float32), chain)
