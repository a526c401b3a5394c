"""bias_act and the epilogue of a modulated convolution as Pallas kernels for TPUs.

A block has all channels of some pixels of one sample. It is read once; sums over pixels leave it as
partial sums, which XLA adds. Derivatives are those of `benchmarks.cuda.slopes`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from benchmarks.cuda.slopes import Affine, Kernels, Nonlinearity, sum_to
from sfe_jax.core.types import Array
from sfe_jax.ops.bias_act import ACTIVATIONS

LANES = 128
"""Numbers side by side in a register of a TPU. Blocks have a multiple of so many pixels."""

BLOCK_NUMBERS = 1 << 17
"""Of x in a block, about: half a megabyte in float32, of which some ten are held at once."""


class _Refs(NamedTuple):
    """What a kernel reads; None for what is missing."""

    x: Any  # [1, pixels, C]
    scale: Any  # [1, 1, C]
    noise: Any  # [1, 1, pixels]
    bias: Any  # [1, C]
    factor: Any  # [1, pixels, C]


def _activation(nonlinearity: Nonlinearity, order: int) -> Callable[[Array], Array]:
    """D: the bounded activation, or its derivative of order 1 or 2; 0 where the bound holds."""
    name, alpha, gain, clamp = nonlinearity

    def unbounded(u: Array) -> Array:
        return gain * ACTIVATIONS[name].function(u, alpha)

    def slope(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        return lambda u: jax.jvp(function, (u,), (jnp.ones_like(u),))[1]

    found = unbounded
    for _ in range(order):
        found = slope(found)
    if clamp == float("inf"):
        return found
    if order == 0:
        return lambda u: jnp.clip(unbounded(u), -clamp, clamp)
    return lambda u: jnp.where(jnp.abs(unbounded(u)) < clamp, found(u), 0.0)


def _inner(refs: _Refs) -> Array:
    """The sum u = x scale + noise + bias of a block, [pixels, C], float32."""
    u = refs.x[0].astype(jnp.float32)
    if refs.scale is not None:
        u = u * refs.scale[0]
    if refs.noise is not None:
        u = u + refs.noise[0].T
    return u if refs.bias is None else u + refs.bias[...]


def _forward_kernel(refs: _Refs, y: Any, *, function: Callable[[Array], Array]) -> None:
    found = function(_inner(refs))
    if refs.factor is not None:
        found = found * refs.factor[0].astype(jnp.float32)
    y[0] = found.astype(y.dtype)


def _backward_kernel(
    refs: _Refs, *outs: Any, function: Callable[[Array], Array], pixels: int
) -> None:
    """Slopes of a block; rows beyond the sample's last pixel do not count."""
    out = _Refs(*outs)
    v = function(_inner(refs)) * refs.factor[0].astype(jnp.float32)
    x = refs.x[0].astype(jnp.float32)
    out.x[0] = (v if refs.scale is None else v * refs.scale[0]).astype(out.x.dtype)
    row = jax.lax.broadcasted_iota(jnp.int32, v.shape, 0) + pl.program_id(1) * v.shape[0]
    inside = row < pixels
    if out.scale is not None:
        out.scale[0, 0] = jnp.sum(jnp.where(inside, v * x, 0.0), axis=0, keepdims=True)
    if out.noise is not None:
        out.noise[0] = jnp.sum(v, axis=1, keepdims=True).T
    if out.bias is not None:
        out.bias[0, 0] = jnp.sum(jnp.where(inside, v, 0.0), axis=0, keepdims=True)


class _Blocks(NamedTuple):
    """How arrays are cut into blocks: the grid is (sample, stretch of pixels)."""

    samples: int
    pixels: int
    channels: int

    @property
    def block(self) -> int:
        """Pixels of a block."""
        most = max(BLOCK_NUMBERS // (LANES * -(-self.channels // LANES)) // LANES, 1) * LANES
        return min(most, self.pixels)

    @property
    def chunks(self) -> int:
        """Blocks of a sample."""
        return -(-self.pixels // self.block)

    def specs(self, shared_noise: bool) -> _Refs:
        """Of the operands."""
        whole = pl.BlockSpec((1, self.block, self.channels), lambda n, p: (n, p, 0))
        return _Refs(
            x=whole,
            scale=pl.BlockSpec((1, 1, self.channels), lambda n, p: (n, 0, 0)),
            noise=pl.BlockSpec(
                (1, 1, self.block), lambda n, p: (0, 0, p) if shared_noise else (n, 0, p)
            ),
            bias=pl.BlockSpec((1, self.channels), lambda n, p: (0, 0)),
            factor=whole,
        )

    def sums(self) -> tuple[jax.ShapeDtypeStruct, pl.BlockSpec]:
        """Of partial sums by channel."""
        shape = (self.samples, self.chunks, 1, self.channels)
        spec = pl.BlockSpec((1, 1, 1, self.channels), lambda n, p: (n, p, 0, 0))
        return jax.ShapeDtypeStruct(shape, jnp.float32), spec


def _present(refs: _Refs, like: Sequence[Any]) -> _Refs:
    """Leaves out what `like` lacks."""
    return _Refs(*(ref if wanted is not None else None for ref, wanted in zip(refs, like)))  # noqa: B905


def _operands(a: Affine, factor: Array | None) -> _Refs:
    return _Refs(
        a.x,
        None if a.scale is None else a.scale[:, None],
        None if a.noise is None else a.noise[:, None],
        None if a.bias is None else a.bias[None],
        factor,
    )


def _forward(
    a: Affine, factor: Array | None, order: int, nonlinearity: Nonlinearity, *, interpret: bool
) -> Array:
    """The product m D(u), [N, P, C], in one pass."""
    if a.x.size == 0:
        return a.x
    blocks, operands = _Blocks(*a.x.shape), _operands(a, factor)
    shared = a.noise is not None and len(a.noise) == 1
    return pl.pallas_call(
        partial(_forward_kernel, function=_activation(nonlinearity, order)),
        out_shape=jax.ShapeDtypeStruct(a.x.shape, a.x.dtype),
        grid=(blocks.samples, blocks.chunks),
        in_specs=[_present(blocks.specs(shared), operands)],
        out_specs=blocks.specs(shared).x,
        interpret=interpret,
    )(operands)


def _backward(a: Affine, g: Array, nonlinearity: Nonlinearity, *, interpret: bool) -> Affine:
    """The slopes by all of `a` under the cotangent g [N, P, C], in one pass."""
    blocks, operands = _Blocks(*a.x.shape), _operands(a, g)
    shared = a.noise is not None and len(a.noise) == 1
    sums, sums_spec = blocks.sums()
    noise = jax.ShapeDtypeStruct((blocks.samples, 1, blocks.pixels), jnp.float32)
    x, own_noise = blocks.specs(shared).x, blocks.specs(False).noise
    wanted = (*operands[:4], None)
    kernel = partial(_backward_kernel, function=_activation(nonlinearity, 1), pixels=blocks.pixels)
    found = pl.pallas_call(
        kernel,
        out_shape=_present(
            _Refs(jax.ShapeDtypeStruct(a.x.shape, a.x.dtype), sums, noise, sums, None), wanted
        ),
        grid=(blocks.samples, blocks.chunks),
        in_specs=[_present(blocks.specs(shared), operands)],
        out_specs=_present(_Refs(x, sums_spec, own_noise, sums_spec, None), wanted),
        interpret=interpret,
    )(operands)
    return Affine(
        found.x,
        None if a.scale is None else found.scale.sum((1, 2)),
        None if a.noise is None else sum_to(found.noise[:, 0], a.noise),
        None if a.bias is None else found.bias.sum((0, 1, 2)),
    )


def kernels(*, interpret: bool = False) -> Kernels:
    """The kernels and their derivatives.

    Args:
        interpret: Whether they run as plain JAX, on any device, for tests.
    """
    return Kernels(partial(_forward, interpret=interpret), partial(_backward, interpret=interpret))
