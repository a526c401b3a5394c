"""How strong an edit must be to move an attribute by a given amount, on a generator's own faces.

Every method is then edited with the same strength, so that a method that changes little cannot look
faithful by it.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.errors import EditError
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.data.faces import AttributeRange
from sfe_jax.edits.direction import Direction
from sfe_jax.edits.fitting.strengths import Score, measure_curve
from sfe_jax.edits.operands import Operands
from sfe_jax.pipelines.attributes import attribute_score
from sfe_jax.pipelines.bundle import Network

STEPS = 8
"""Strengths tried on each side of 0."""

FEWEST = 8
"""Faces with room to move, below which a mean says nothing."""


@dataclass(frozen=True)
class Move:
    """One strength of an edit, and what it does to the generator's own faces."""

    edit: str  # Name of the direction and of the attribute.
    strength: float
    change: float  # Mean change of the attribute, in its units; it has a sign.


def has_room(values: np.ndarray, change: float, attribute: AttributeRange) -> np.ndarray:
    """Whether attribute values [N] stay within their range when they change by `change`: [N]."""
    moved = values + change
    return (attribute.low <= moved) & (moved <= attribute.high)


def sample_ws(generator: Network, key: Array, count: int) -> np.ndarray:
    """Codes [count, L, W] of random faces."""
    module: Any = generator.module
    z = jax.random.normal(key, (count, module.z_dim))
    mapping = jax.jit(partial(apply, module, method="map"))
    return np.asarray(mapping(generator.variables, z))


def find_strength(strengths: np.ndarray, changes: np.ndarray, wanted: float) -> float:
    """The least strength at which an attribute changes by `wanted`.

    Args:
        strengths: [S], from beside 0 outwards.
        changes: [S], the mean change at each.
        wanted: Change, of either sign.

    Returns:
        Interpolated linearly; the strength of the largest change if none is as large as wanted.
    """
    reached = np.append(0.0, np.sign(wanted) * changes)
    strengths = np.append(0.0, strengths)
    if reached.max() < abs(wanted):
        return float(strengths[reached.argmax()])
    after = int((reached >= abs(wanted)).argmax())
    ends = slice(after - 1, after + 1)
    return float(np.interp(abs(wanted), reached[ends], strengths[ends]))


@dataclass(frozen=True)
class OwnFaces:
    """Random faces of a generator, to measure edits on."""

    ws: np.ndarray  # [M, L, W].
    values: np.ndarray  # [M, A], the attributes that are read from them.
    score: Score  # Codes -> attributes [N, A].


def own_faces(
    generator: Network, features: Network, key: Array, *, count: int, batch_size: int
) -> OwnFaces:
    """Draws `count` faces of a generator and reads their attributes."""
    score = attribute_score(generator, features, batch_size=batch_size)
    ws = sample_ws(generator, key, count)
    return OwnFaces(ws, score(jnp.asarray(ws)), score)


def calibrate(
    direction: Direction,
    operands: Operands,
    own: OwnFaces,
    *,
    column: int,
    wanted: float,
    attribute: AttributeRange,
) -> Move | None:
    """The strength that moves an attribute by `wanted`, within the direction's measured range.

    Args:
        direction: With a measured range.
        operands: Its arrays; they move W+.
        own: The generator's own faces; those with room to move are used.
        column: Of the attribute among A.
        wanted: Change in the attribute's units; its sign chooses the side.
        attribute: Range of the attribute.

    Returns:
        The strength, and the change measured at it: smaller than wanted where the range ends
        before. None if the direction has no range on this side.

    Raises:
        EditError: If there is no measured range, too few faces have room, or the attribute does
            not follow.
    """
    name = direction.name
    if direction.low is None or direction.high is None:
        raise EditError(
            f"edit `{name}` has no measured range of strengths; fit it with `sfe fit-directions`"
        )
    end = direction.high if wanted > 0 else direction.low
    if end * wanted <= 0:
        return None
    rows = np.flatnonzero(has_room(own.values[:, column], wanted, attribute))
    if len(rows) < FEWEST:
        raise EditError(
            f"{len(rows)} of the generator's {len(own.ws)} faces can change {attribute.name} by "
            f"{wanted:+g}; required are {FEWEST}: use more samples"
        )

    def changes(strengths: np.ndarray) -> np.ndarray:
        """Mean changes [S] at strengths [S]."""
        curve = measure_curve(own.score, jnp.asarray(own.ws[rows]), operands, strengths.tolist())
        return curve[:, column] - own.values[rows, column].mean(dtype=np.float64)

    tried = np.linspace(0, end, STEPS + 1)[1:]
    strength = find_strength(tried, changes(tried), wanted)
    change = float(changes(np.array([strength]))[0])
    if change * wanted <= 0:
        raise EditError(
            f"edit `{name}` changes {attribute.name} by {change:.3g} where {wanted:+g} is wanted; "
            "fit it again"
        )
    return Move(name, strength, change)
