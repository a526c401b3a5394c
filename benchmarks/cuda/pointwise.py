"""bias_act and the epilogue of a modulated convolution, by CUDA kernels."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cuda.slopes import Affine, Kernels, Nonlinearity, sum_to
from sfe_jax.core.types import Array
from sfe_jax.ops.bias_act import ACTIVATIONS

GRADIENT_PIXELS = 32
"""Pixels whose sums a block of the gradient shares, if all its threads are on one pixel."""

WIDE = 256
"""Threads of a block."""


def _attributes(nonlinearity: Nonlinearity) -> dict[str, np.generic]:
    """What the kernels are told."""
    return {
        "activation": np.int32(list(ACTIVATIONS).index(nonlinearity.activation)),
        "alpha": np.float32(nonlinearity.alpha),
        "gain": np.float32(nonlinearity.gain),
        "clamp": np.float32(nonlinearity.clamp),
    }


def _operand(array: Array | None, rank: int) -> Array:
    """What stands for a missing operand has no elements."""
    return jnp.zeros((0,) * rank) if array is None else array


def _operands(a: Affine, factor: Array | None) -> tuple[Array, ...]:
    factor = jnp.zeros((0, 0, 0), a.x.dtype) if factor is None else factor
    return a.x, _operand(a.scale, 2), _operand(a.noise, 2), _operand(a.bias, 1), factor


def _blank(shape: Sequence[int], dtype: jnp.dtype | type = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(shape), dtype)


def _call(a: Affine, factor: Array | None, order: int, nonlinearity: Nonlinearity) -> Array:
    """The product m D(u), [N, P, C], in one pass."""
    kernel = jax.ffi.ffi_call(
        "sfe_pointwise", _blank(a.x.shape, a.x.dtype), vmap_method="sequential"
    )
    attributes = _attributes(nonlinearity)
    return kernel(*_operands(a, factor), **attributes, order=np.int32(order))


def _pixels_a_block(channels: int) -> int:
    """Pixels whose sums a block shares: few threads on a pixel leave room for many pixels."""
    return GRADIENT_PIXELS * max(1, min(8, WIDE // channels))


def _call_gradient(a: Affine, g: Array, nonlinearity: Nonlinearity) -> Affine:
    """The slopes by all of `a` under the cotangent g [N, P, C], in one pass."""
    samples, pixels, channels = a.x.shape
    block = _pixels_a_block(channels)
    partial_sums = (samples, -(-pixels // block), channels)
    shapes = (
        _blank(a.x.shape, a.x.dtype),
        _blank((0, 0, 0) if a.scale is None else partial_sums),
        _blank((0, 0) if a.noise is None else (samples, pixels)),
        _blank((0, 0, 0) if a.bias is None else partial_sums),
    )
    kernel = jax.ffi.ffi_call("sfe_pointwise_gradient", shapes, vmap_method="sequential")
    attributes = _attributes(nonlinearity)
    x, scale, noise, bias = kernel(*_operands(a, g), **attributes, pixels_a_block=np.int32(block))
    return Affine(
        x,
        None if a.scale is None else scale.sum(1),
        None if a.noise is None else sum_to(noise, a.noise),
        None if a.bias is None else bias.sum((0, 1)),
    )


CUDA = Kernels(_call, _call_gradient)
"""The kernels and their derivatives."""

bias_act, epilogue = CUDA.bias_act, CUDA.epilogue
