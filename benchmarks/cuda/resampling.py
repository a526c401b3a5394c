"""upfirdn2d by a CUDA kernel."""

from collections.abc import Sequence

import jax
import numpy as np

from benchmarks.cuda.bands import Axis, Resampling
from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array
from sfe_jax.ops.upfirdn2d import as_pair, as_sides, checked_filter, outer_factors


def _axis(length: int, *, taps: int, up: int, down: int, padding: tuple[int, int]) -> Axis:
    size = (length * up + sum(padding) - taps) // down + 1
    if size < 1:
        raise ShapeError(
            f"{length} samples, up {up}, padding {padding} are too few for {taps} taps; "
            "pad more or use a larger image"
        )
    return Axis(length, size, up, down, padding[0])


def plan(
    height: int,
    width: int,
    f: np.ndarray | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = (0, 0, 0, 0),
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Resampling:
    """The resampling that `upfirdn2d` with these arguments does.

    Raises:
        ShapeError: As `upfirdn2d`.
    """
    f = checked_filter(np.ones(1) if f is None else np.asarray(f, np.float64))
    factors = outer_factors(f)
    full = np.outer(f, f) if f.ndim == 1 else f
    up_x, up_y = as_pair("up", up)
    down_x, down_y = as_pair("down", down)
    x0, x1, y0, y1 = as_sides(padding)
    rows = _axis(height, taps=full.shape[0], up=up_y, down=down_y, padding=(y0, y1))
    columns = _axis(width, taps=full.shape[1], up=up_x, down=down_x, padding=(x0, x1))
    if factors:
        factors = (factors[0] * gain, factors[1])
    if not flip_filter:
        full = full[::-1, ::-1]
        factors = factors and (factors[0][::-1], factors[1][::-1])
    return Resampling(rows, columns, full * gain, factors)


def resample(x: Array, resampling: Resampling) -> Array:
    """Applies a resampling; its derivative is the adjoint resampling, to any order.

    Args:
        x: [N, H, W, C], float32 or bfloat16.
        resampling: Of H and W.

    Returns:
        [N, H', W', C], dtype of `x`.
    """

    @jax.custom_vjp
    def run(x: Array) -> Array:
        numbers, taps = resampling.tables()
        shape = (x.shape[0], resampling.rows.size, resampling.columns.size, x.shape[3])
        out = jax.ShapeDtypeStruct(shape, x.dtype)
        kernel = jax.ffi.ffi_call("sfe_resample", out, vmap_method="sequential")
        return kernel(x, taps, filter=numbers)

    run.defvjp(lambda x: (run(x), None), lambda _, g: (resample(g, resampling.adjoint()),))
    return run(x)


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
    """`sfe_jax.ops.upfirdn2d.upfirdn2d` in one CUDA kernel; reverse derivatives of any order.

    Arguments, result and errors are those of the original; sums are in float32 here.
    """
    check_shape("x", x.shape, (None, None, None, None))
    options = {"up": up, "down": down, "padding": padding, "flip_filter": flip_filter, "gain": gain}
    return resample(x, plan(x.shape[1], x.shape[2], f, **options))
