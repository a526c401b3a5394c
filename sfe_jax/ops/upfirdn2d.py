"""Upsampling, filtering and downsampling of images with a static low-pass filter.

Every output sample is a sum of shifted input samples, and each residue ("phase") of the output
index has taps and shifts of its own. Computing phase by phase multiplies nothing by an inserted
zero and computes nothing that is then dropped. A filter that is an outer product is applied along
one axis after the other. There is no depthwise convolution: XLA is slow at it on every backend.
Shifts are pads of negative width, whose derivatives are such pads again; hence gradients of any
order and in any mode cost about what the forward pass does.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array

SEPARABLE_TAPS = 8
"""From this many taps on, `setup_filter` leaves a one-dimensional filter as it is."""

# Three roundings of float32 lie between an outer product and its rebuilding from row and column.
_RANK_ONE_TOLERANCE = 4 * np.finfo(np.float32).eps


def setup_filter(
    taps: Sequence[float] | np.ndarray,
    *,
    normalize: bool = True,
    flip: bool = False,
    gain: float = 1.0,
    separable: bool | None = None,
) -> np.ndarray:
    """Prepares a filter for `upfirdn2d`.

    Args:
        taps: [n] or [rows, columns].
        normalize: Whether the taps are divided by their sum.
        flip: Whether every axis is reversed.
        gain: Factor of the filtered image; a filter of shape [n] carries its square root.
        separable: Whether a filter of shape [n] stays so, to be applied along x and y, rather than
            become its outer product [n, n]. None = from 8 taps on.

    Returns:
        float32 [n] or [rows, columns].

    Raises:
        ShapeError: If `taps` is empty or has another rank, or `separable` asks to keep [rows,
            columns] one-dimensional.

    Source: stylegan2-ada-pytorch, torch_utils/ops/upfirdn2d.py.
    """
    f = _checked_filter(np.asarray(taps, np.float64))
    if separable is None:
        separable = f.ndim == 1 and len(f) >= SEPARABLE_TAPS
    if separable and f.ndim == 2:
        raise ShapeError(f"`taps` has shape {f.shape}; separable=True requires shape (n,)")
    if f.ndim == 1 and not separable:
        f = np.outer(f, f)
    if normalize:
        f = f / f.sum()
    if flip:
        f = np.flip(f)
    return np.asarray(f * gain ** (f.ndim / 2), np.float32)


def _checked_filter(f: np.ndarray) -> np.ndarray:
    if f.ndim not in (1, 2) or not f.size:
        raise ShapeError(f"the filter has shape {f.shape}; required is (n,) or (rows, columns)")
    return f


def _as_pair(name: str, value: int | Sequence[int]) -> tuple[int, int]:
    """(x, y) from one factor or two."""
    x, y = (value, value) if isinstance(value, int) else value
    if min(x, y) < 1:
        raise ShapeError(f"`{name}` is {value}; required are whole factors of at least 1")
    return x, y


def _as_sides(padding: int | Sequence[int]) -> tuple[int, ...]:
    """(x0, x1, y0, y1) from one width, a pair (x, y) or all four."""
    sides = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
    if len(sides) == 2:
        sides = (sides[0], sides[0], sides[1], sides[1])
    if len(sides) != 4:
        raise ShapeError(f"`padding` is {padding}; required is p, (x, y) or (x0, x1, y0, y1)")
    return sides


def _factors(f: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Column [rows] and row [columns] whose outer product is `f`, or None if there are none."""
    if f.ndim == 1:
        return f, f
    i, j = np.unravel_index(np.argmax(np.abs(f)), f.shape)
    peak = f[i, j]
    column, row = f[:, j], f[i] / (peak or 1.0)
    error = np.abs(np.outer(column, row) - f).max()
    return (column, row) if error <= _RANK_ONE_TOLERANCE * abs(peak) else None


class _Term(NamedTuple):
    """One tap's share in an output phase: output[q] += tap * part[q + shift]."""

    tap: int  # Index into the filter.
    part: int  # Which of the `stride` interleaved parts of the input.
    shift: int


class _Axis(NamedTuple):
    """How one axis is resampled."""

    size: int  # Output length.
    stride: int  # The input is split into every `stride`-th sample.
    phases: list[list[_Term]]  # Output phase r holds the samples r, r + len(phases), ...

    @property
    def phase_size(self) -> int:
        """Samples computed per phase; the last phases may have one that is dropped."""
        return -(-self.size // len(self.phases))


def _plan(length: int, *, taps: int, up: int, down: int, padding: Sequence[int]) -> _Axis:
    """Writes output o as sum_t f[t] x[(o down + t - before) / up], where the quotient is whole."""
    before, after = padding
    size = (length * up + before + after - taps) // down + 1
    if size < 1:
        raise ShapeError(
            f"{length} samples, up {up}, padding {(before, after)} are too few for {taps} taps; "
            "pad more or use a larger image"
        )
    common = math.gcd(up, down)
    stride = down // common
    phases = []
    for phase in range(up // common):
        whole = [t for t in range(taps) if (phase * down + t - before) % up == 0]
        starts = [divmod((phase * down + t - before) // up, stride) for t in whole]
        phases.append([_Term(t, part, q) for t, (q, part) in zip(whole, starts, strict=True)])
    return _Axis(size, stride, phases)


def _split(x: Array, rows: int, columns: int) -> list[list[Array]]:
    """Parts [N, ceil(H / rows), ceil(W / columns), C]: every `rows`-th row and so on."""
    n, height, width, channels = x.shape
    x = _pad(x, (0, -height % rows), (0, -width % columns))
    x = x.reshape(n, -(-height // rows), rows, -(-width // columns), columns, channels)
    take = functools.partial(lax.index_in_dim, keepdims=False)
    return [[take(take(x, i, 2), j, 3) for j in range(columns)] for i in range(rows)]


def _merge(phases: list[list[Array]]) -> Array:
    """Interleaves phases [N, h, w, C] along rows and columns; undoes `_split`."""
    y = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
    n, height, rows, width, columns, channels = y.shape
    return y.reshape(n, height * rows, width * columns, channels)


def _pad(x: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
    """Zeros before and after rows and columns; negative widths crop."""
    widths = ((0, 0, 0), (*rows, 0), (*columns, 0), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), widths)


def _terms(rows: list[_Term], columns: list[_Term]) -> Iterable[tuple[_Term, _Term]]:
    return ((row, column) for row in rows for column in columns)


def _correlate(x: Array, f: np.ndarray, rows: _Axis, columns: _Axis) -> Array:
    """Sums shifted parts of `x` for each pair of phases; `f` [rows, columns] is not flipped."""
    parts = _split(x, rows.stride, columns.stride)
    _, height, width, _ = parts[0][0].shape
    shape = (x.shape[0], rows.phase_size, columns.phase_size, x.shape[3])

    def shifted(row: _Term, column: _Term) -> Array:
        down = (-row.shift, shape[1] + row.shift - height)
        across = (-column.shift, shape[2] + column.shift - width)
        return _pad(parts[row.part][column.part] * float(f[row.tap, column.tap]), down, across)

    def phase(row_terms: list[_Term], column_terms: list[_Term]) -> Array:
        terms = [shifted(*pair) for pair in _terms(row_terms, column_terms)]
        return functools.reduce(jnp.add, terms) if terms else jnp.zeros(shape, x.dtype)

    y = _merge([[phase(r, c) for c in columns.phases] for r in rows.phases])
    return y[:, : rows.size, : columns.size]
