"""How one array is laid out in an official file and in ours, with the way back.

PyTorch keeps convolutions as OIHW and dense layers as [out, in]; ours are HWIO and [in, out], as
TensorFlow's are. A dense layer behind a flattened [C, H, W] has its inputs permuted to [H, W, C].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Transform = Callable[[np.ndarray], np.ndarray]

State = Mapping[str, np.ndarray]
"""An official state dict: key -> array."""


@dataclass(frozen=True)
class Layout:
    """A change of axes and its inverse. Neither changes a value, but for `PLUS_ONE`."""

    to_ours: Transform  # Official array -> our array.
    to_official: Transform  # Our array -> official array.


@dataclass(frozen=True)
class Entry:
    """One array: its key in the official state dict, its path in our variables, its layout."""

    key: str  # Such as "synthesis.b8.conv0.weight".
    path: str  # Such as "params/synthesis/b8/conv0/kernel".
    layout: Layout  # How the axes differ.


def _same(x: np.ndarray) -> np.ndarray:
    return x


SAME = Layout(_same, _same)
CONV = Layout(lambda x: x.transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1))
DENSE = Layout(np.transpose, np.transpose)
CONST = Layout(lambda x: x.transpose(1, 2, 0), lambda x: x.transpose(2, 0, 1))
BATCHED_CONV = Layout(lambda x: x[0].transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1)[None])
BATCHED_CONST = Layout(lambda x: x[0].transpose(1, 2, 0), lambda x: x.transpose(2, 0, 1)[None])
IMAGE_BIAS = Layout(lambda x: x[0, :, 0, 0], lambda x: x[None, :, None, None])
NOISE = Layout(lambda x: x[0, 0], lambda x: x[None, None])
ONE_ELEMENT = Layout(lambda x: x[0], lambda x: x[None])
REVERSED = Layout(lambda x: x[::-1, ::-1], lambda x: x[::-1, ::-1])
PLUS_ONE = Layout(lambda x: x + 1, lambda x: x - 1)


def transposed(layout: Layout) -> Layout:
    """The same of arrays whose two axes stand the other way round in the official file."""
    return Layout(lambda x: layout.to_ours(x.T), lambda x: layout.to_official(x).T)


def flattened_dense(height: int, width: int) -> Layout:
    """Dense layer whose inputs are a flattened [C, height, width] map."""

    def to_ours(x: np.ndarray) -> np.ndarray:
        maps = x.reshape(x.shape[0], -1, height, width)  # [out, C, H, W]
        return maps.transpose(2, 3, 1, 0).reshape(-1, x.shape[0])

    def to_official(x: np.ndarray) -> np.ndarray:
        maps = x.reshape(height, width, -1, x.shape[1])  # [H, W, C, out]
        return maps.transpose(3, 2, 0, 1).reshape(x.shape[1], -1)

    return Layout(to_ours, to_official)


def running_statistics(key: str, path: str) -> list[Entry]:
    """Mean and variance of a batch normalisation."""
    return [
        Entry(f"{key}.running_mean", f"batch_stats/{path}/mean", SAME),
        Entry(f"{key}.running_var", f"batch_stats/{path}/var", SAME),
    ]


def batch_norm(key: str, path: str) -> list[Entry]:
    """Weight, bias, mean and variance of a batch normalisation."""
    return [
        Entry(f"{key}.weight", f"params/{path}/scale", SAME),
        Entry(f"{key}.bias", f"params/{path}/bias", SAME),
        *running_statistics(key, path),
    ]


def weight_and_bias(key: str, path: str, layout: Layout, *, separator: str = ".") -> list[Entry]:
    """Kernel and bias of a layer."""
    return [
        Entry(f"{key}{separator}weight", f"params/{path}/kernel", layout),
        Entry(f"{key}{separator}bias", f"params/{path}/bias", SAME),
    ]


def prefixed(entries: list[Entry], key: str = "", path: str = "") -> list[Entry]:
    """The same entries below `key` in the official file and below module `path` in ours."""

    def below(entry: Entry) -> str:
        collection, _, rest = entry.path.partition("/")
        return f"{collection}/{path}/{rest}" if path else entry.path

    return [Entry(f"{key}{entry.key}", below(entry), entry.layout) for entry in entries]
