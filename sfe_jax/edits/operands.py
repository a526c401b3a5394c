"""Every edit as the same arrays, so that one compiled program serves all of them.

    ws*     = ws + strength * (shift + mapper(ws)) - <ws[0] - centre, probe> * back
    styles* = styles + strength * offsets

Linear edits have no `probe`; edits of W+ have no `offsets`; edits of StyleSpace have nothing else.
A mapper is a network: edits without one have no arrays for it, unless they share a batch with one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array
from sfe_jax.edits.mappers import Mappers, join_mappers, map_codes


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Operands:
    """The arrays of one edit for all samples (M = 1), or of one edit per sample (M = N)."""

    shift: Array  # [M, L, W], added per unit of strength.
    centre: Array  # [M, W], where the coordinate is 0.
    probe: Array  # [M, W], along which row 0 is measured.
    back: Array  # [M, L, W], taken away per unit of the coordinate.
    offsets: dict[str, Array]  # Layer name -> [M, C], added to styles per unit of strength.
    mappers: Mappers | None = None  # Of M edits, added per unit of strength; None if none has one.


def identity(num_ws: int, w_dim: int, *, style_channels: Mapping[str, int]) -> Operands:
    """The edit that changes nothing, M = 1.

    Args:
        num_ws: Rows L of W+.
        w_dim: Size W of a row.
        style_channels: Layer name -> size of its style, for every modulated layer.
    """
    rows, row = jnp.zeros((1, num_ws, w_dim)), jnp.zeros((1, w_dim))
    offsets = {name: jnp.zeros((1, size)) for name, size in style_channels.items()}
    return Operands(shift=rows, centre=row, probe=row, back=rows, offsets=offsets)


def stack(edits: Sequence[Operands]) -> Operands:
    """One batch of different edits of one generator: the sum of their M, in order."""
    plain = [replace(edit, mappers=None) for edit in edits]
    joined = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *plain)
    mappers = join_mappers([(len(edit.shift), edit.mappers) for edit in edits])
    return replace(joined, mappers=mappers)


def select(operands: Operands, numbers: Array) -> Operands:
    """Edits of a batch, one per sample.

    Args:
        operands: Of M edits.
        numbers: int [N], below M.

    Returns:
        M = N; the table of mappers is not copied.
    """
    mappers = operands.mappers
    plain = jax.tree.map(lambda x: x[numbers], replace(operands, mappers=None))
    if mappers is None:
        return plain
    chosen, moves = mappers.chosen[numbers], mappers.moves[numbers]
    return replace(plain, mappers=replace(mappers, chosen=chosen, moves=moves))


def _check_batch(count: int, edits: int, strength: Array) -> None:
    """Raises unless N = `count` samples have N strengths and 1 or N edits."""
    check_shape("strength", strength.shape, (count,))
    if edits not in (1, count):
        raise ShapeError(
            f"`operands` holds {edits} edits; required is 1 or one per sample, {count}"
        )


def apply_to_ws(ws: Array, operands: Operands, strength: Array) -> Array:
    """Edits codes of W+.

    Args:
        ws: [N, L, W], absolute (the average code is already added).
        operands: M = 1 or N.
        strength: [N].

    Returns:
        [N, L, W].

    Raises:
        ShapeError: If the shapes do not fit.
    """
    edits, num_ws, w_dim = operands.shift.shape
    check_shape("ws", ws.shape, (None, num_ws, w_dim))
    _check_batch(ws.shape[0], edits, strength)

    coordinate = jnp.sum((ws[:, 0] - operands.centre) * operands.probe, axis=-1)  # [N]
    shift = strength[:, None, None] * operands.shift
    edited = ws + shift - coordinate[:, None, None] * operands.back
    if operands.mappers is None:
        return edited
    return edited + strength[:, None, None] * map_codes(ws, operands.mappers)


def apply_to_styles(
    styles: Mapping[str, Array], operands: Operands, strength: Array
) -> dict[str, Array]:
    """Edits styles, the codes of StyleSpace.

    Args:
        styles: Layer name -> [N, C].
        operands: M = 1 or N, made for the same layers.
        strength: [N].

    Returns:
        Layer name -> [N, C].

    Raises:
        ShapeError: If the layers or shapes do not fit.
    """
    if styles.keys() != operands.offsets.keys():
        odd = ", ".join(sorted(styles.keys() ^ operands.offsets.keys()))
        raise ShapeError(
            f"`styles` and `operands` differ in the layers {odd}; required is the same"
        )
    edited = {}
    for name, style in styles.items():
        offset = operands.offsets[name]
        check_shape(f"styles of {name}", style.shape, (None, offset.shape[1]))
        _check_batch(style.shape[0], offset.shape[0], strength)
        edited[name] = style + strength[:, None] * offset
    return edited
