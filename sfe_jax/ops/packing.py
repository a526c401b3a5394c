"""Maps of few channels, in the order of memory that a TPU is quick with.

A TPU keeps the last axis of an array in rows of 128 numbers and computes with whole rows. A map of
32 channels takes as much memory and time there as one of 128, a picture of 3 colours as well. Two
orders leave no gaps:

    packed   2x2 pixels side by side, [N, H, W, C] -> [N, H / 2, W / 2, 4 C], for thin maps;
    planes   one picture per colour and phase, [N, H, W, C] -> [N, 2, 2, C, H / 2, W / 2].

The functions of `ops` take and give plain maps [N, H, W, C]. On a TPU they pack what they read and
unpack what they give; an unpacking that meets a packing vanishes in the compiler, so that a chain
of them stays packed. `benchmarks.sections.deviceless` counts what that saves.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from sfe_jax.core.platforms import by_platform
from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array

ROW = 128
"""Numbers that a TPU keeps and computes at once. From this many channels on, a map is not thin."""

FEW = 8
"""Most channels of a picture, whose rows are better filled with pixels."""

PIXELS = 64 * 64
"""Smallest map for which the order matters: that of 64x64 is read in microseconds."""


def is_thin(shape: tuple[int, ...]) -> bool:
    """Whether a map [N, H, W, C] is to be packed: large, with even sides, its rows half empty."""
    if len(shape) != 4:
        return False
    _, height, width, channels = shape
    even = height % 2 == width % 2 == 0
    return even and height * width >= PIXELS and FEW < channels < ROW


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether a map [N, H, W, C] is large and has few channels."""
    _, height, width, channels = shape
    return height * width >= PIXELS and channels <= FEW


def pack(x: Array) -> Array:
    """2x2 pixels side by side: [N, H, W, C] -> [N, H / 2, W / 2, 4 C], for even H and W."""
    n, height, width, channels = x.shape
    x = x.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, height // 2, width // 2, 4 * channels)


def unpack(x: Array) -> Array:
    """Undoes `pack`: [N, h, w, 4 C] -> [N, 2 h, 2 w, C]."""
    n, height, width, channels = x.shape
    x = x.reshape(n, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, 2 * height, 2 * width, channels // 4)


def _places(size: int, dtype: jnp.dtype) -> Array:
    """[2, size, 2 size]: 1 where number i of phase q is number 2 i + q of the whole, else 0."""
    phase, part, whole = (lax.broadcasted_iota(jnp.int32, (2, size, 2 * size), i) for i in range(3))
    return (2 * part + phase == whole).astype(dtype)


def split_planes(x: Array) -> Array:
    """Every second row and column of each colour: [N, H, W, C] -> [N, 2, 2, C, H / 2, W / 2].

    By products with ones and zeros, which are exact: a TPU has no quick way to move the numbers of
    a row apart, but a matrix unit.
    """
    rows, columns = (_places(size // 2, x.dtype) for size in x.shape[1:3])
    precision = product_precision(x.dtype)
    x = jnp.einsum("nyxc,qwx->nqcyw", x, columns, precision=precision)
    return jnp.einsum("nqcyw,phy->npqchw", x, rows, precision=precision)


def join_planes(x: Array) -> Array:
    """Undoes `split_planes`."""
    rows, columns = (_places(size, x.dtype) for size in x.shape[4:])
    precision = product_precision(x.dtype)
    x = jnp.einsum("npqchw,qwx->npchx", x, columns, precision=precision)
    return jnp.einsum("npchx,phy->nyxc", x, rows, precision=precision)


def _pack_beside(part: Array, channels: int) -> Array:
    """Packs what is broadcast against a map of `channels`: [1 or N, 1 or H, 1 or W, 1 or C]."""
    n, height, width, depth = part.shape
    if height == width == 1:
        return part if depth == 1 else jnp.tile(part, 4)
    if depth > 1:
        return pack(part)
    planes = split_planes(part).reshape(n, 4, height // 2, width // 2)
    spread = jnp.repeat(jnp.eye(4, dtype=part.dtype), channels, axis=1)
    return jnp.einsum("nkhw,kc->nhwc", planes, spread, precision=product_precision(part.dtype))


def elementwise(function: Callable[..., Array], x: Array, *parts: Array) -> Array:
    """Applies a function that treats each number by itself; on a TPU to the packed map if thin.

    Args:
        function: Of `x` and the parts.
        x: [N, H, W, C]; of any other rank it stays as it is.
        *parts: Broadcast against `x`, [1 or N, 1 or H, 1 or W, 1 or C].

    Returns:
        What the function gives, of the shape of `x`.
    """
    if not is_thin(x.shape):
        return function(x, *parts)

    def packed(x: Array, *parts: Array) -> Array:
        beside = [_pack_beside(part, x.shape[3]) for part in parts]
        return unpack(function(pack(x), *beside))

    return by_platform(x, *parts, tpu=packed, default=function)
