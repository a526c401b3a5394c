"""Upsampling, filtering and downsampling of images with a static low-pass filter.

Every output sample is a sum of shifted input samples, and each residue ("phase") of the output
index has taps and shifts of its own. Computing phase by phase multiplies nothing by an inserted
zero and computes nothing that is then dropped. A filter that is an outer product is applied along
one axis after the other. There is no depthwise convolution: XLA is slow at it on every backend.
The adjoint is again such an operation, factors exchanged and the filter reversed, and is stated so:
derivatives of any order and in any mode cost about what the forward pass does.

Source: stylegan2-ada-pytorch, torch_utils/ops/upfirdn2d.py.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.linear_maps import call, declare_linear, make_primitive
from sfe_jax.core.platforms import by_platform
from sfe_jax.core.precision import in_float32, product_precision, wide_on_cpu
from sfe_jax.core.types import Array
from sfe_jax.ops.packing import is_picture

SEPARABLE_TAPS = 8
"""From this many taps on, `setup_filter` leaves a one-dimensional filter as it is."""

AT_ONCE = 16
"""Most taps of a filter that GPUs and TPUs apply to both axes at once: XLA sums sixteen shifted
maps as it reads them, where one axis after the other costs a map between. On an H100 that is 5.4 GB
against 6.5 for the last block of the generator at 1024, 8 pictures in bfloat16."""

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
    f = checked_filter(np.asarray(taps, np.float64))
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


def checked_filter(f: np.ndarray) -> np.ndarray:
    """A filter [taps] or [rows, columns] as it is.

    Raises:
        ShapeError: If it is empty or has another rank.
    """
    if f.ndim not in (1, 2) or not f.size:
        raise ShapeError(f"the filter has shape {f.shape}; required is (n,) or (rows, columns)")
    return f


def _taps(f: np.ndarray | None) -> tuple[int, int]:
    """Taps along x and y."""
    return (1, 1) if f is None else (f.shape[-1], f.shape[0])


def as_pair(name: str, value: int | Sequence[int]) -> tuple[int, int]:
    """(x, y) from one factor or two.

    Raises:
        ShapeError: If one is below 1.
    """
    x, y = (value, value) if isinstance(value, int) else value
    if min(x, y) < 1:
        raise ShapeError(f"`{name}` is {value}; required are whole factors of at least 1")
    return x, y


def as_sides(padding: int | Sequence[int]) -> tuple[int, ...]:
    """(x0, x1, y0, y1) from one width, a pair (x, y) or all four.

    Raises:
        ShapeError: If `padding` has another length.
    """
    sides = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
    if len(sides) == 2:
        sides = (sides[0], sides[0], sides[1], sides[1])
    if len(sides) != 4:
        raise ShapeError(f"`padding` is {padding}; required is p, (x, y) or (x0, x1, y0, y1)")
    return sides


def outer_factors(f: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
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


def _same(length: int) -> _Axis:
    """Leaves an axis as it is."""
    return _plan(length, taps=1, up=1, down=1, padding=(0, 0))


def _parts(x: Array, count: int, axis: int) -> list[Array]:
    """Every `count`-th sample along an axis, from the first one on, from the second, and so on.

    They are of the same length: zeros are added behind.
    """
    if count == 1:
        return [x]
    before, length, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    widths = [(0, -length % count if i == axis else 0, 0) for i in range(x.ndim)]
    x = lax.pad(x, jnp.zeros((), x.dtype), widths)
    x = x.reshape(*before, -(-length // count), count, *behind)
    return [lax.index_in_dim(x, i, axis + 1, keepdims=False) for i in range(count)]


def _interleave(parts: list[Array], axis: int) -> Array:
    """Undoes `_parts`, but for the zeros."""
    if len(parts) == 1:
        return parts[0]
    y = jnp.stack(parts, axis=axis + 1)
    return y.reshape(*y.shape[:axis], -1, *y.shape[axis + 2 :])


def _pad(x: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
    """Zeros before and after rows and columns; negative widths crop."""
    widths = ((0, 0, 0), (*rows, 0), (*columns, 0), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), widths)


def _correlate(x: Array, f: np.ndarray, rows: _Axis, columns: _Axis) -> Array:
    """Sums shifted parts of `x` for each pair of phases; `f` [rows, columns] is not flipped."""
    parts = [_parts(part, columns.stride, 2) for part in _parts(x, rows.stride, 1)]
    n, height, width, channels = parts[0][0].shape

    def shifted(row: _Term, column: _Term) -> Array:
        down = (-row.shift, rows.phase_size + row.shift - height)
        across = (-column.shift, columns.phase_size + column.shift - width)
        # Weighted before the pad, or XLA's CPU backend stores every shifted copy.
        tap = np.asarray(f[row.tap, column.tap], x.dtype)
        return _pad(lax.mul(parts[row.part][column.part], tap), down, across)

    def phase(row_terms: list[_Term], column_terms: list[_Term]) -> Array:
        terms = [shifted(row, column) for row in row_terms for column in column_terms]
        if not terms:  # More phases than taps: some outputs meet inserted zeros only.
            return jnp.zeros((n, rows.phase_size, columns.phase_size, channels), x.dtype)
        return functools.reduce(lax.add, terms)

    lines = [[phase(row, column) for column in columns.phases] for row in rows.phases]
    y = _interleave([_interleave(line, 2) for line in lines], 1)
    whole = (n, rows.size, columns.size, channels)
    return y if y.shape == whole else lax.slice(y, (0, 0, 0, 0), whole)


def _in_halves(function: Callable[[Array], Array], x: Array, axis: int) -> Array:
    """Applies `function`, which leaves `axis` alone, to two halves of it.

    XLA's CPU backend does not fuse across the joint. Otherwise it fuses one pass into the next, and
    recomputes the first for every tap of the second.
    """
    middle = x.shape[axis] // 2
    if middle == 0:
        return function(x)
    halves = lax.split(x, (middle, x.shape[axis] - middle), axis=axis)
    return jnp.concatenate([function(half) for half in halves], axis=axis)


def _along_rows(x: Array, f: np.ndarray, axis: _Axis) -> Array:
    return _in_halves(lambda half: _correlate(half, f[:, None], axis, _same(half.shape[2])), x, 2)


def _along_columns(x: Array, f: np.ndarray, axis: _Axis) -> Array:
    return _in_halves(lambda half: _correlate(half, f[None], _same(half.shape[1]), axis), x, 1)


def _one_by_one(
    x: Array, *, column: np.ndarray, row: np.ndarray, rows: _Axis, columns: _Axis
) -> Array:
    """Resamples along one axis after the other."""
    if rows.size < x.shape[1]:  # Shrink along the memory's slowest axis first.
        return _along_columns(_along_rows(x, column, rows), row, columns)
    return _along_rows(_along_columns(x, row, columns), column, rows)


def sums_at_once(taps: int) -> bool:
    """Whether GPUs and TPUs apply a separable filter of so many taps to both axes at once."""
    return taps <= AT_ONCE


def _band(f: np.ndarray, axis: _Axis, *, length: int, dtype: jnp.dtype) -> Array:
    """The matrix [length, axis.size] that resamples an axis."""
    phases = len(axis.phases)
    read, written = (lax.broadcasted_iota(jnp.int32, (length, axis.size), i) for i in (0, 1))
    band = jnp.zeros((length, axis.size), dtype)
    for phase, terms in enumerate(axis.phases):
        for term in terms:
            place = (written // phases + term.shift) * axis.stride + term.part
            here = (written % phases == phase) & (read == place)
            band = jnp.where(here, jnp.asarray(f[term.tap], dtype), band)
    return band


def is_separable(f: np.ndarray | None) -> bool:
    """Whether a filter of `upfirdn2d` is the outer product of a column and a row."""
    return f is None or outer_factors(checked_filter(np.asarray(f))) is not None


def resampling_bands(
    sizes: tuple[int, int],
    f: np.ndarray | None,
    *,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1.0,
    dtype: jnp.dtype,
) -> tuple[Array, Array]:
    """`upfirdn2d` by a separable filter as two matrices, which multiply columns and rows.

    Args:
        sizes: Height H and width W of the map.
        f: As `upfirdn2d` has it, and separable.
        up: Factor after which `f` filters.
        down: Factor after `f`.
        padding: (x before, x after, y before, y after), after upsampling.
        gain: Factor of the result.
        dtype: Of the matrices.

    Returns:
        [H, H'] and [W, W'].

    Raises:
        ShapeError: If `f` is not separable, or as `upfirdn2d`.
    """
    factors = outer_factors(np.flip(checked_filter(np.ones(1) if f is None else np.asarray(f))))
    if factors is None:
        raise ShapeError("`f` is not separable; required is an outer product of two filters")
    x0, x1, y0, y1 = padding
    column, row = factors[0] * gain, factors[1]
    rows = _plan(sizes[0], taps=len(column), up=up, down=down, padding=(y0, y1))
    columns = _plan(sizes[1], taps=len(row), up=up, down=down, padding=(x0, x1))
    across = _band(row, columns, length=sizes[1], dtype=dtype)
    return _band(column, rows, length=sizes[0], dtype=dtype), across


def _banded(x: Array, *, column: np.ndarray, row: np.ndarray, rows: _Axis, columns: _Axis) -> Array:
    """Resamples a picture by a band matrix along either axis.

    A TPU reads and writes three colours at 1024 so in 0.2 GB for 8 pictures, and in 1.5 by shifted
    sums, whose phases it can only interleave by way of memory.
    """
    across = _band(row, columns, length=x.shape[2], dtype=x.dtype)
    down = _band(column, rows, length=x.shape[1], dtype=x.dtype)
    precision = product_precision(x.dtype)
    x = jnp.einsum("nyxc,xw->ncyw", x, across, precision=precision)
    return jnp.einsum("ncyw,yh->nhwc", x, down, precision=precision)


class _Resampling(NamedTuple):
    """What `upfirdn2d` does, without its array."""

    taps: tuple[tuple[float, ...], ...]  # [rows][columns], of a correlation, gain included.
    up: tuple[int, int]  # x, y.
    down: tuple[int, int]  # x, y.
    padding: tuple[int, ...]  # x before, x after, y before, y after.

    def axes(self, shape: tuple[int, ...]) -> dict[str, _Axis]:
        """How rows and columns of a map [N, H, W, C] are resampled."""
        (up_x, up_y), (down_x, down_y) = self.up, self.down
        x0, x1, y0, y1 = self.padding
        rows, columns = len(self.taps), len(self.taps[0])
        return {
            "rows": _plan(shape[1], taps=rows, up=up_y, down=down_y, padding=(y0, y1)),
            "columns": _plan(shape[2], taps=columns, up=up_x, down=down_x, padding=(x0, x1)),
        }

    def adjoint(self, read: tuple[int, ...], written: tuple[int, ...]) -> "_Resampling":
        """The resampling that carries slopes back, from `written` [N, H', W', C] to `read`.

        Tap t carries x[i] to y[o] where i up + before = o down + t; the reversed filter carries
        y[o] to x[i] where o down + taps - 1 - before = i up + t.
        """
        taps = tuple(row[::-1] for row in self.taps[::-1])
        sides = []
        for axis, count in ((0, len(taps[0])), (1, len(taps))):
            up, down, before = self.up[axis], self.down[axis], self.padding[2 * axis]
            first = count - 1 - before
            last = (read[2 - axis] - 1) * up + count - written[2 - axis] * down - first
            sides += [first, last]
        return _Resampling(taps, self.down, self.up, tuple(sides))


def upfirdn2d(
    x: Array,
    f: np.ndarray | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = (0, 0, 0, 0),
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Array:
    """Upsamples with zeros, pads, filters and downsamples.

    1. Every pixel, also the last, is followed by `up` - 1 zeros.
    2. Zeros are added outside; negative widths crop.
    3. The image is convolved with `f` times `gain`, where the filter lies fully inside.
    4. Every `down`-th sample is kept, from the first on.

    Args:
        x: [N, H, W, C], float32 or bfloat16; all sums are in this type.
        f: [rows, columns]; or [taps], applied along x and along y; or None, which is one tap of 1.
            It is static: NumPy, never traced.
        up: Factor, or factors (x, y).
        down: Factor, or factors (x, y).
        padding: Width after upsampling, or (x, y), or (x before, x after, y before, y after).
        flip_filter: False convolves, True correlates.
        gain: Factor of the result, once for both axes.

    Returns:
        [N, (H up_y + y0 + y1 - rows) // down_y + 1, likewise for W, C], dtype of `x`.

    Raises:
        ShapeError: If `x` or `f` has another rank, a factor is below 1, `padding` has another
            length, or no output is left.

    Source: stylegan2-ada-pytorch, torch_utils/ops/upfirdn2d.py.
    """
    check_shape("x", x.shape, (None, None, None, None))
    f = checked_filter(np.ones(1) if f is None else np.asarray(f, np.float64))
    f = f if flip_filter else np.flip(f)
    taps = f * gain if f.ndim == 2 else np.outer(f, f) * gain
    plan = _Resampling(
        tuple(map(tuple, taps.tolist())),
        as_pair("up", up),
        as_pair("down", down),
        as_sides(padding),
    )
    plan.axes(x.shape)  # Or too small a map would be found only by JAX's own checks.
    return call(_UPFIRDN2D, x, plan=plan)


def _form(x: Array, plan: _Resampling) -> Array:
    """`upfirdn2d` in the form that is fastest on the platform."""
    f, axes = np.asarray(plan.taps), plan.axes(x.shape)
    factors = outer_factors(f)
    if factors is None:
        return wide_on_cpu(functools.partial(_correlate, f=f, **axes))(x)
    column, row = factors
    elsewhere = separable = functools.partial(_one_by_one, column=column, row=row, **axes)
    if sums_at_once(f.size):
        elsewhere = functools.partial(_correlate, f=f, **axes)
    tpu = elsewhere
    if is_picture(x.shape):
        tpu = functools.partial(_banded, column=column, row=row, **axes)
    if tpu is separable:
        return wide_on_cpu(separable)(x)
    return by_platform(x, cpu=in_float32(separable), tpu=tpu, default=elsewhere)


def _adjoint(g: Array, shape: tuple[int, ...], plan: _Resampling) -> Array:
    """Slope by a map of `shape` [N, H, W, C] from that by the result."""
    return call(_UPFIRDN2D, g, plan=plan.adjoint(shape, g.shape))


_UPFIRDN2D = make_primitive("upfirdn2d", _form)
declare_linear(_UPFIRDN2D, _adjoint)


def filter2d(
    x: Array, f: np.ndarray | None, *, flip_filter: bool = False, gain: float = 1.0
) -> Array:
    """Filters at the same size, zeros outside.

    Args:
        x: [N, H, W, C].
        f: As in `upfirdn2d`.
        flip_filter: False convolves, True correlates.
        gain: Factor of the result.

    Returns:
        [N, H, W, C], dtype of `x`.

    Raises:
        ShapeError: As `upfirdn2d`.

    Source: stylegan2-ada-pytorch, torch_utils/ops/upfirdn2d.py.
    """
    sides = [side for taps in _taps(f) for side in (taps // 2, (taps - 1) // 2)]
    return upfirdn2d(x, f, padding=sides, flip_filter=flip_filter, gain=gain)


def upsample2d(x: Array, f: np.ndarray | None, *, factor: int = 2, gain: float = 1.0) -> Array:
    """Multiplies the resolution, zeros outside; a filter of sum 1 keeps the brightness.

    Args:
        x: [N, H, W, C].
        f: As in `upfirdn2d`.
        factor: Of both axes.
        gain: Factor of the result, beside the `factor`^2 that makes up for the inserted zeros.

    Returns:
        [N, H factor, W factor, C], dtype of `x`.

    Raises:
        ShapeError: As `upfirdn2d`.

    Source: stylegan2-ada-pytorch, torch_utils/ops/upfirdn2d.py.
    """
    sides = [s for taps in _taps(f) for s in ((taps + factor - 1) // 2, (taps - factor) // 2)]
    return upfirdn2d(x, f, up=factor, padding=sides, gain=gain * factor**2)


def downsample2d(x: Array, f: np.ndarray | None, *, factor: int = 2, gain: float = 1.0) -> Array:
    """Divides the resolution, zeros outside.

    Args:
        x: [N, H, W, C].
        f: As in `upfirdn2d`.
        factor: Of both axes.
        gain: Factor of the result.

    Returns:
        [N, H // factor, W // factor, C], dtype of `x`.

    Raises:
        ShapeError: As `upfirdn2d`.

    Source: stylegan2-ada-pytorch, torch_utils/ops/upfirdn2d.py.
    """
    sides = [s for taps in _taps(f) for s in ((taps - factor + 1) // 2, (taps - factor) // 2)]
    return upfirdn2d(x, f, down=factor, padding=sides, gain=gain)
