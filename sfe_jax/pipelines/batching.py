"""Rows in batches of one size, so that one compiled program serves any number of them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from sfe_jax.core.errors import ShapeError


class Rows(NamedTuple):
    """What a batch holds."""

    numbers: np.ndarray  # int [size], of rows; the last one is repeated where there are no more.
    kept: int  # How many of them are no repetition.


def batches(count: int, size: int) -> Iterator[Rows]:
    """Rows 0 to `count`, `size` at a time."""
    for start in range(0, count, size):
        numbers = np.minimum(np.arange(start, start + size), count - 1)
        yield Rows(numbers, min(size, count - start))


def in_batches(function: Callable, size: int, *arrays) -> list:
    """`function` on batches of `size` rows of pytrees.

    Args:
        function: Takes as many pytrees as `arrays`, gives a pytree; the leading axis is the batch.
        size: Rows of a batch.
        *arrays: Pytrees with the same leading axis.

    Returns:
        One result per batch, without the repeated rows.

    Raises:
        ShapeError: If there are no rows.
    """
    count = jax.tree.leaves(arrays)[0].shape[0]
    if not count:
        raise ShapeError("there are no rows to compute; required are a picture and a strength")
    results = []
    for rows in batches(count, size):
        result = function(*jax.tree.map(lambda x, rows=rows: x[rows.numbers], arrays))
        results.append(jax.tree.map(lambda x, rows=rows: x[: rows.kept], result))
    return results


def compute_rows(function: Callable, size: int, *trees: Any) -> Any:
    """`function` on all rows of pytrees, `size` at a time; the results as NumPy arrays.

    Args:
        function: Takes as many pytrees as `trees`, gives a pytree; the leading axis is the batch.
        size: Rows computed together.
        *trees: Pytrees with the same leading axis.

    Raises:
        ShapeError: If there are no rows.
    """
    parts = jax.device_get(in_batches(function, size, *trees))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
