"""Values that merge: what batches, devices and processes have seen becomes one value.

A batch makes a value on its process; values of batches merge there, and those of processes at the
end. The order does not matter.
"""

import dataclasses
import io
from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from sfe_jax.core.errors import ShapeError


class Value(Protocol):
    """A dataclass of numbers and NumPy arrays that merges with others of its kind."""

    def merge(self, other: Self) -> Self:
        """What both have seen, together; neither may hold what the other holds."""
        ...


V = TypeVar("V", bound=Value)


def merged(values: Sequence[V]) -> V:
    """Merges values two by two, as a balanced tree: few copies, little rounding.

    Raises:
        ShapeError: If there is none.
    """
    values = list(values)
    if not values:
        raise ShapeError("there are 0 values to merge; required is at least one picture")
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        values = [a.merge(b) for a, b in pairs] + values[len(values) // 2 * 2 :]
    return values[0]


def to_bytes(value: Any) -> np.ndarray:
    """A dataclass of numbers and arrays as uint8 [B]."""
    stream = io.BytesIO()
    np.savez(stream, **{f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    return np.frombuffer(stream.getvalue(), np.uint8)


def from_bytes(kind: type[V], data: np.ndarray) -> V:
    """Undoes `to_bytes` for the dataclass `kind`."""
    with np.load(io.BytesIO(data.tobytes())) as file:
        return kind(**{name: file[name][()] for name in file.files})


def merge_processes(value: V) -> V:
    """Merges the values of all processes; each must call it, and each gets the result.

    They travel as bytes, since JAX would round float64 to float32 on the way.
    """
    if jax.process_count() == 1:
        return value
    data = to_bytes(value)
    sizes = np.ravel(multihost_utils.process_allgather(np.int32(len(data))))
    padded = np.pad(data, (0, sizes.max() - len(data)))
    gathered = np.asarray(multihost_utils.process_allgather(padded))
    pairs = zip(gathered, sizes, strict=True)
    return merged([from_bytes(type(value), row[:size]) for row, size in pairs])
