"""Joins a direction, its arrays and a generator into operands, and refuses what does not fit."""

from collections.abc import Mapping
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.errors import EditError
from sfe_jax.edits.direction import (
    MAPPER_LEVELS,
    STYLESPACE_FACTOR,
    Direction,
    GanSpace,
    Linear,
    Mapper,
    StyleSpace,
)
from sfe_jax.edits.files import FILES
from sfe_jax.edits.mappers import DEPTH, build_mapper
from sfe_jax.edits.operands import Operands, identity


def _array(direction: Direction, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The array `name`, or the remedy for its absence."""
    if name in arrays:
        return np.asarray(arrays[name], np.float32)
    file = next((FILES[key] for key in FILES if name == key or name.startswith(f"{key}/")), name)
    raise EditError(
        f"edit `{direction.name}` needs the file {file}, which is not among the directions given; "
        "convert it into the bundle, or give it by `direction_arrays`"
    )


def _linear_shift(vector: np.ndarray, num_ws: int, w_dim: int) -> np.ndarray | None:
    """`vector` on every row, [L, W]; None if it fits no generator of this size."""
    if vector.ndim > 1 and vector.shape[0] == 1:
        vector = vector[0]
    if vector.shape == (w_dim,):
        return np.tile(vector, (num_ws, 1))
    if vector.shape in ((num_ws, w_dim), (num_ws * w_dim,)):
        return vector.reshape(num_ws, w_dim)
    return None


def _linear(
    direction: Direction, rule: Linear, arrays: Mapping[str, np.ndarray], still: Operands
) -> Operands:
    """ws* = ws + strength * factor * v."""
    _, num_ws, w_dim = still.shift.shape
    vector = _array(direction, arrays, rule.array)
    shift = _linear_shift(vector, num_ws, w_dim)
    if shift is None:
        raise EditError(
            f"edit `{direction.name}` has a vector of shape {vector.shape}; required is "
            f"(1, {w_dim}), ({num_ws}, {w_dim}) or (1, {num_ws * w_dim}) for this generator of "
            f"{num_ws} rows of {w_dim}: use a direction made for it"
        )
    return replace(still, shift=jnp.asarray(np.float32(rule.factor) * shift)[None])


def _ganspace(
    direction: Direction, rule: GanSpace, arrays: Mapping[str, np.ndarray], still: Operands
) -> Operands:
    """ws* = ws + (strength * std - <ws[0] - mean, component>) * component on rows start..end-1."""
    _, num_ws, w_dim = still.shift.shape
    mean, components, std = (
        _array(direction, arrays, f"{rule.array}/{part}") for part in ("mean", "components", "std")
    )
    have = (mean.shape, components.shape, std.shape)
    if have != ((w_dim,), (std.size, w_dim), (std.size,)):
        raise EditError(
            f"edit `{direction.name}` has mean, components and std of {have}; required are "
            f"(({w_dim},), (K, {w_dim}), (K,)) for this generator's W: use a direction made for it"
        )
    if rule.component >= len(std) or rule.end > num_ws:
        raise EditError(
            f"edit `{direction.name}` needs component {rule.component} and rows up to "
            f"{rule.end - 1}; there are {len(std)} components, and the generator has {num_ws} rows"
        )
    component = components[rule.component]
    back = np.zeros((1, num_ws, w_dim), np.float32)
    back[:, rule.start : rule.end] = component
    return replace(
        still,
        shift=jnp.asarray(std[rule.component] * back),
        centre=jnp.asarray(mean)[None],
        probe=jnp.asarray(component)[None],
        back=jnp.asarray(back),
    )


def _stylespace(direction: Direction, rule: StyleSpace, still: Operands) -> Operands:
    """styles* = styles + strength * 3 on the listed channels."""
    offsets = {name: np.zeros(zero.shape, np.float32) for name, zero in still.offsets.items()}
    for name, channel in rule.channels:
        size = offsets[name].shape[1] if name in offsets else 0
        if not 0 <= channel < size:
            raise EditError(
                f"edit `{direction.name}` needs channel {channel} of layer {name}, where the "
                f"generator has {size}: use a generator that the direction was made for"
            )
        offsets[name][:, channel] = STYLESPACE_FACTOR
    return replace(still, offsets={name: jnp.asarray(value) for name, value in offsets.items()})


def _mapper(
    direction: Direction, rule: Mapper, arrays: Mapping[str, np.ndarray], still: Operands
) -> Operands:
    """ws* = ws + strength * mapper(ws) on the rows of the rule's levels."""
    _, num_ws, w_dim = still.shift.shape
    held = [level for level in MAPPER_LEVELS if f"{rule.array}/{level}_weight" in arrays]
    if held and not set(rule.levels) <= set(held):
        raise EditError(
            f"edit `{direction.name}` moves the levels {', '.join(rule.levels)}, and its mapper "
            f"has {', '.join(held)}; get its file again"
        )
    shapes = ((DEPTH, w_dim, w_dim), (DEPTH, w_dim))
    levels = {}
    for level in rule.levels:
        names = (f"{rule.array}/{level}_{part}" for part in ("weight", "bias"))
        weight, bias = (_array(direction, arrays, name) for name in names)
        if (weight.shape, bias.shape) != shapes:
            raise EditError(
                f"edit `{direction.name}` has {level} weights and biases of {weight.shape} and "
                f"{bias.shape}; required are {shapes[0]} and {shapes[1]} for this generator's W: "
                "use a mapper made for it"
            )
        levels[level] = (weight, bias)
    if (first := MAPPER_LEVELS[rule.levels[-1]][0]) >= num_ws:
        raise EditError(
            f"edit `{direction.name}` moves rows from {first} on, and the generator has {num_ws}; "
            "use a mapper made for it"
        )
    return replace(still, mappers=build_mapper(levels, w_dim))


def operands_for(
    direction: Direction,
    arrays: Mapping[str, np.ndarray],
    *,
    num_ws: int,
    w_dim: int,
    style_channels: Mapping[str, int],
) -> Operands:
    """The arrays that perform `direction` on a generator.

    Args:
        direction: From a catalogue or a user's own file.
        arrays: Stable name -> array, from `load_directions` or a bundle; may hold more.
        num_ws: Rows L of the generator's W+.
        w_dim: Size W of a row.
        style_channels: Layer name -> size of its style, for every modulated layer.

    Returns:
        Operands of one edit (M = 1), float32.

    Raises:
        EditError: If an array is missing, or the direction does not fit the generator.
    """
    still = identity(num_ws, w_dim, style_channels=style_channels)
    match direction.rule:
        case Linear() as rule:
            return _linear(direction, rule, arrays, still)
        case GanSpace() as rule:
            return _ganspace(direction, rule, arrays, still)
        case StyleSpace() as rule:
            return _stylespace(direction, rule, still)
        case Mapper() as rule:
            return _mapper(direction, rule, arrays, still)
