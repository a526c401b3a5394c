"""StyleCLIP's latent mappers: networks that make of a code the way in which an edit moves it.

A mapper has a network for each level of rows of W+ that it moves: the level's rows, divided by
their root mean square, go through four dense layers. Mappers of several edits lie in one table, so
that one compiled program serves a batch of different edits, with mappers and without.

Source: StyleCLIP (arXiv:2103.17249), section 5; StyleCLIP mapper/latent_mappers.py.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.edits.direction import MAPPER_LEVELS
from sfe_jax.ops.bias_act import bias_act

DEPTH = 4
"""Dense layers of a level."""

LEARNING_RATE_MULTIPLIER = 0.01
"""Times kernels and biases, as in the generator's mapping network."""

EPSILON = 1e-8
"""Added to the mean square before its root is taken."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Mappers:
    """A table of K mappers, and what each of M edits takes of it."""

    kernel: Array  # [K, 3, DEPTH, W, W], by level and layer; multiplies rows from the right.
    bias: Array  # [K, 3, DEPTH, W].
    chosen: Array  # int32 [M], the mapper of an edit.
    moves: Array  # [M, 3], 1 where an edit moves a level, 0 where it stays.


def build_mapper(levels: Mapping[str, tuple[np.ndarray, np.ndarray]], w_dim: int) -> Mappers:
    """The table of one mapper for one edit.

    Args:
        levels: Name in `MAPPER_LEVELS` -> weights [DEPTH, out, in] and biases [DEPTH, out], as in
            official files. Other levels stay.
        w_dim: Size W of a row.
    """
    shape = (1, len(MAPPER_LEVELS), DEPTH, w_dim)
    kernel, bias = np.zeros((*shape, w_dim), np.float32), np.zeros(shape, np.float32)
    for number, name in enumerate(MAPPER_LEVELS):
        if name in levels:
            weights, biases = levels[name]
            scaled = weights * (LEARNING_RATE_MULTIPLIER / math.sqrt(w_dim))
            kernel[0, number] = scaled.swapaxes(1, 2)
            bias[0, number] = biases * LEARNING_RATE_MULTIPLIER
    moves = np.array([[name in levels for name in MAPPER_LEVELS]], np.float32)
    return Mappers(*map(jnp.asarray, (kernel, bias, np.zeros(1, np.int32), moves)))


def join_mappers(parts: Sequence[tuple[int, Mappers | None]]) -> Mappers | None:
    """One table of several.

    Args:
        parts: The number of edits, and their mappers; None if they have none.

    Returns:
        A table for all edits in order, of which those without a mapper move no level; None if no
        edit has one.
    """
    tables = [mappers for _, mappers in parts if mappers is not None]
    if not tables:
        return None
    chosen, moves, first = [], [], 0
    for count, mappers in parts:
        if mappers is None:
            chosen.append(jnp.zeros(count, jnp.int32))
            moves.append(jnp.zeros((count, len(MAPPER_LEVELS))))
        else:
            chosen.append(mappers.chosen + first)
            moves.append(mappers.moves)
            first += len(mappers.kernel)
    return Mappers(
        kernel=jnp.concatenate([table.kernel for table in tables]),
        bias=jnp.concatenate([table.bias for table in tables]),
        chosen=jnp.concatenate(chosen),
        moves=jnp.concatenate(moves),
    )


def _normalise_rows(x: Array) -> Array:
    """Divides x [N, R, W] by its root mean square over rows, where PixelNorm has channels."""
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=1, keepdims=True) + EPSILON)


def _map_level(rows: Array, kernels: Array, biases: Array) -> Array:
    """What one network, [DEPTH, W, W] and [DEPTH, W], makes of a level's rows [N, R, W]."""
    x = _normalise_rows(rows)
    for kernel, bias in zip(kernels, biases, strict=True):
        x = bias_act(jnp.matmul(x, kernel, precision=product_precision(x.dtype)), bias)
    return x


def map_codes(ws: Array, mappers: Mappers) -> Array:
    """What one unit of strength adds to codes: mapper(ws).

    Every mapper of the table sees every code: that costs less than a copy of its kernels for each
    sample.

    Args:
        ws: [N, L, W], absolute (the average code is already added).
        mappers: M = 1 or N.

    Returns:
        [N, L, W]; zeros on levels that stay.
    """
    count = ws.shape[0]
    chosen = jnp.broadcast_to(mappers.chosen, (count,))
    shifts = []
    for number, (first, end) in enumerate(MAPPER_LEVELS.values()):
        kernels, biases = mappers.kernel[:, number], mappers.bias[:, number]
        mapped = jax.vmap(_map_level, (None, 0, 0))(ws[:, first:end], kernels, biases)
        moves = mappers.moves[:, number, None, None]  # [M, 1, 1].
        shifts.append(moves * mapped[chosen, jnp.arange(count)])
    return jnp.concatenate(shifts, axis=1)
