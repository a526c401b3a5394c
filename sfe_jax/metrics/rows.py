"""Numbered rows: features, probabilities or scores that remember their pictures.

The number is the picture's place in the data set. It undoes every order in which batches arrive,
shows a picture that was counted twice, and tells which pictures are the worst.
"""

from dataclasses import dataclass
from typing import Self

import jax
import numpy as np

from sfe_jax.core.errors import ImageError, ShapeError
from sfe_jax.core.types import Array

PADDING = -1
"""Number of a row that only fills up a batch."""


@dataclass(frozen=True, eq=False)
class Rows:
    """One row per picture, in the order of their numbers."""

    numbers: np.ndarray  # int64 [N], rising.
    values: np.ndarray  # [N, ...]

    def __post_init__(self) -> None:
        if self.numbers.shape != self.values.shape[:1]:
            raise ShapeError(
                f"rows have shape {self.values.shape} and numbers {self.numbers.shape}; required "
                "is one number for each row"
            )
        order = np.argsort(self.numbers, kind="stable")
        if np.any(np.diff(order) != 1):
            object.__setattr__(self, "numbers", self.numbers[order])
            object.__setattr__(self, "values", self.values[order])
        twice = self.numbers[1:][np.diff(self.numbers) == 0]
        if len(twice):
            raise ShapeError(
                f"picture {twice[0]} is counted twice; required is once: number the rows that pad "
                f"a batch {PADDING}"
            )

    def __len__(self) -> int:
        return len(self.numbers)

    def merge(self, other: Self) -> Self:
        """The rows of both."""
        numbers = np.concatenate([self.numbers, other.numbers])
        return type(self)(numbers, np.concatenate([self.values, other.values]))

    @property
    def mean(self) -> float:
        """Mean of all values, in float64."""
        return float(np.mean(self.values, dtype=np.float64))

    @property
    def deviation(self) -> float:
        """Population standard deviation of all values."""
        return float(np.std(self.values, dtype=np.float64))

    def largest(self, count: int) -> np.ndarray:
        """Numbers of the `count` pictures with the largest values [N], largest first."""
        return self.numbers[np.argsort(-self.values, kind="stable")[:count]]

    def smallest(self, count: int) -> np.ndarray:
        """Numbers of the `count` pictures with the smallest values [N], smallest first."""
        return self.numbers[np.argsort(self.values, kind="stable")[:count]]


def local_part(x: Array | np.ndarray) -> np.ndarray:
    """What this process holds of an array divided along its first axis, each row once.

    Args:
        x: [N, ...], on any mesh; copies along other axes of the mesh count once.
    """
    if not isinstance(x, jax.Array):
        return np.asarray(x)
    shards = [shard for shard in x.addressable_shards if shard.replica_id == 0]
    shards.sort(key=lambda shard: shard.index[0].start or 0)
    empty = np.zeros((0, *x.shape[1:]), x.dtype)
    return np.concatenate([np.asarray(shard.data) for shard in shards]) if shards else empty


def rows_of(numbers: Array | np.ndarray, values: Array | np.ndarray) -> Rows:
    """The rows that this process holds of a batch, without those that pad it.

    Args:
        numbers: int [N], of the pictures; `PADDING` marks rows to leave out.
        values: [N, ...], divided over devices as `numbers` are.

    Raises:
        ShapeError: If there is not one number for each row, or one occurs twice.
        ImageError: If a value is not finite.
    """
    numbers, values = local_part(numbers).astype(np.int64), local_part(values)
    rows = Rows(numbers[numbers != PADDING], values[numbers != PADDING])
    finite = np.isfinite(rows.values).all(axis=tuple(range(1, rows.values.ndim)))
    if not finite.all():
        raise ImageError(
            f"picture {rows.numbers[~finite][0]} gives values that are not finite; look at it, and "
            "at the weights of the network that reads it"
        )
    return rows
