"""Edits drawn at random, for the Feature Editor's training pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.errors import EditError
from sfe_jax.core.types import Array
from sfe_jax.edits.catalogue import CARS, FACES, find
from sfe_jax.edits.direction import Direction, Mapper
from sfe_jax.edits.operands import Operands, select, stack
from sfe_jax.edits.prepare import operands_for
from sfe_jax.training.method import Frozen
from sfe_jax.training.recipe import Setting

STEPS = 8
"""Strengths taken from a documented range where a recipe lists none."""

SFE_EDITS: dict[str, tuple[float, ...]] = {
    "age": (-7, -5, 5, 7, 10),
    "fs_makeup": (5, 8, 12),
    "afro": (0.03, 0.07),
    "angry": (0.06, 0.1),
    "purple_hair": (0.07, 0.1, 0.12),
    "glasses": (-10, -7),
    "face_roundness": (-13, -7, 7, 13),
    "rotation": (-5, -3, -1, 1, 3, 5),
    "bobcut": (0.07, 0.12, 0.18),
    "bowlcut": (0.07, 0.14),
    "mohawk": (0.07, 0.1),
    "blond hair": (-8, -4, 4, 8),
    "fs_smiling": (-6, -3, 3, 6, 9),
}
"""Edits of the original's second phase and their strengths.

Source: StyleFeatureEditor runners/training_runners.py.
"""


def without_mappers(edits: Mapping[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """Published edits of faces, but those that need a file of StyleCLIP's mappers."""
    return {
        name: strengths
        for name, strengths in edits.items()
        if not isinstance(find(name, FACES).rule, Mapper)
    }


@dataclass(frozen=True)
class EditTable:
    """Edits of one generator, to draw from under jit."""

    operands: Operands  # M = number of edits.
    strengths: Array  # [M, S].
    shares: Array  # [M], how often each is drawn; they sum to 1.

    @property
    def frozen(self) -> Frozen:
        """The networks of its mappers, if it has some: too large to be constants of a program."""
        mappers = self.operands.mappers
        if mappers is None:
            return {}
        return {"mappers": {"params": {"kernel": mappers.kernel, "bias": mappers.bias}}}

    def with_networks(self, frozen: Frozen) -> "EditTable":
        """The table that reads its mappers from `frozen`, which holds what `frozen` gave."""
        mappers = self.operands.mappers
        if mappers is None:
            return self
        mappers = replace(mappers, **frozen["mappers"]["params"])
        return replace(self, operands=replace(self.operands, mappers=mappers))

    def draw(self, key: Array, count: int) -> tuple[Operands, Array]:
        """An edit and a strength for each of N samples: operands (M = N) and strengths [N]."""
        edit_key, strength_key = jax.random.split(key)
        edits, steps = self.strengths.shape
        chosen = jax.random.choice(edit_key, edits, (count,), p=self.shares)
        step = jax.random.randint(strength_key, (count,), 0, steps)
        return select(self.operands, chosen), self.strengths[chosen, step]


def _strengths(direction: Direction, listed: tuple[float, ...]) -> np.ndarray:
    """The strengths of a direction: those listed, or its documented range without its middle."""
    if listed:
        return np.asarray(listed, np.float32)
    if direction.low is None or direction.high is None:
        raise EditError(
            f"edit `{direction.name}` has no documented range; list its strengths in the recipe"
        )
    return np.linspace(direction.low, direction.high, STEPS, dtype=np.float32)


def _operands(direction: Direction, setting: Setting, generator: Any) -> Operands:
    """The arrays of an edit, with what a recipe can do where a mapper is missing."""
    try:
        return operands_for(direction, setting.directions, **generator.code_sizes)
    except EditError as error:
        if not isinstance(direction.rule, Mapper):
            raise
        raise EditError(
            f"{error}; or train without mappers, as configs/ffhq1024_editor.py:without_mappers does"
        ) from error


def build_edit_table(
    edits: dict[str, tuple[float, ...]],
    setting: Setting,
    generator: Any,
    *,
    weights: Mapping[str, float] = MappingProxyType({}),
) -> EditTable:
    """The table of the edits that a recipe names.

    Args:
        edits: Name -> strengths; () takes the documented range. Empty takes every edit of the
            recipe's weights.
        setting: Holds arrays and records of edits.
        generator: Whose codes are edited.
        weights: Name -> how much more often than others it is drawn; 1 for those not named.

    Raises:
        EditError: If an edit is unknown, its array is missing, or there is none.
    """
    known = tuple({d.name: d for d in (*FACES, *CARS, *setting.records)}.values())
    names = edits or {record.name: () for record in setting.records}
    if not names:
        raise EditError("no edits to train on; name some in the recipe, or fit directions first")
    operands, strengths = [], []
    for name, listed in names.items():
        direction = find(name, known)
        operands.append(_operands(direction, setting, generator))
        strengths.append(_strengths(direction, tuple(listed)))
    for name in weights.keys() - names.keys():
        raise EditError(f"`edit_weights` names {name!r}; required is one of {', '.join(names)}")
    shares = np.array([weights.get(name, 1.0) for name in names], np.float32)
    # How likely an edit is does not depend on how many strengths it has.
    length = int(np.lcm.reduce([len(s) for s in strengths]))
    table = np.stack([np.tile(s, length // len(s)) for s in strengths])
    return EditTable(stack(operands), jnp.asarray(table), jnp.asarray(shares / shares.sum()))
