"""Resampling as bands of a matrix: the tables of taps that the kernels read.

Along one axis, output o of a resampling is

    y[o] = sum_t f[t] x[(o down + t - before) / up],    over the t whose quotient is whole.

Four outputs that follow one another are a strip, or one output where a filter is not separable. All
strips read windows of the input under the same few tables, so that neither factors, padding nor
flips are left for a kernel to care about.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

STRIP = 4
"""Neighbouring outputs that a thread computes."""


@dataclass(frozen=True)
class Axis:
    """How one axis is resampled."""

    source: int  # Length of the input,
    size: int  # and of the output.
    up: int
    down: int
    before: int  # Zeros before the upsampled input; negative crops.

    def adjoint(self, taps: int) -> "Axis":
        """The transposed map, which takes the flipped filter."""
        return Axis(self.size, self.source, self.down, self.up, taps - 1 - self.before)


@dataclass(frozen=True)
class Band:
    """Strips of one axis: strip s reads from floor(s num / den) + offset on."""

    num: int
    den: int
    offset: int
    taps: np.ndarray  # [den, window, strip], index of the tap that each output meets; -1 for none.

    def numbers(self, axis: Axis) -> tuple[int, ...]:
        """What the kernels are told; the order is that of `Axis` in C++."""
        _, window, strip = self.taps.shape
        return axis.source, axis.size, strip, self.num, self.den, self.offset, window


def band(axis: Axis, *, taps: int, strip: int) -> Band:
    """The strips of an axis under a filter of `taps` taps."""
    common = math.gcd(strip * axis.down, axis.up)
    num, den = strip * axis.down // common, axis.up // common
    met = []  # (table, output in its strip, tap, input from the strip's start).
    for table in range(den):
        for r in range(strip):
            for tap in range(taps):
                at, rest = divmod((strip * table + r) * axis.down + tap - axis.before, axis.up)
                if rest == 0:
                    met.append((table, r, tap, at - table * num // den))
    starts = [at for *_, at in met] or [0]  # None where all outputs meet inserted zeros.
    offset = min(starts)
    window = max(starts) - offset + 1
    found = np.full((den, window, strip), -1)
    for table, r, tap, at in met:
        found[table, at - offset, r] = tap
    return Band(num, den, offset, found)


def _weights(f: np.ndarray, found: np.ndarray) -> np.ndarray:
    return np.where(found < 0, 0.0, f[found])


@dataclass(frozen=True, eq=False)
class Resampling:
    """A resampling of both axes."""

    rows: Axis
    columns: Axis
    f: np.ndarray  # [taps along y, taps along x], correlated, with its gain.
    factors: tuple[np.ndarray, np.ndarray] | None  # Column and row whose outer product is `f`.

    def adjoint(self) -> "Resampling":
        """The transposed map."""
        flipped = self.factors and (self.factors[0][::-1], self.factors[1][::-1])
        height, width = self.f.shape
        rows, columns = self.rows.adjoint(height), self.columns.adjoint(width)
        return replace(self, rows=rows, columns=columns, f=self.f[::-1, ::-1], factors=flipped)

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Whole numbers int64 [14], columns first, and taps float32, flat."""
        height, width = self.f.shape
        columns = band(self.columns, taps=width, strip=STRIP)
        rows = band(self.rows, taps=height, strip=STRIP if self.factors else 1)
        if self.factors:
            column, row = self.factors
            parts = [_weights(row, columns.taps), _weights(column, rows.taps)]
            taps = np.concatenate([part.ravel() for part in parts])
        else:  # [row tables, row window, column tables, column window, strip].
            y, x = rows.taps[:, :, None, None], columns.taps[None, None]
            taps = np.where((y < 0) | (x < 0), 0.0, self.f[y, x]).ravel()
        numbers = (*columns.numbers(self.columns), *rows.numbers(self.rows))
        return np.array(numbers, np.int64), taps.astype(np.float32)
