"""StyleGAN3's filtered leaky ReLU from its definition, in float64."""

import numpy as np

from tests.reference.upfirdn2d import _axis_matrix


def _as_matrix(f):
    return np.ones((1, 1)) if f is None else np.outer(f, f) if f.ndim == 1 else f


def resample(x, f, up=1, down=1, padding=(0, 0, 0, 0)):
    """`upfirdn2d` with one product of matrices for each row of taps."""
    f = _as_matrix(f)
    rows = _axis_matrix(x.shape[1], f.shape[0], up, down, *padding[2:])
    columns = _axis_matrix(x.shape[2], f.shape[1], up, down, *padding[:2])
    across = np.einsum("ij,jwk->iwk", f, np.stack(columns))
    return sum(
        np.einsum("hi,wj,nijc->nhwc", row, column, x, optimize=True)
        for row, column in zip(rows, across, strict=True)
    )


def filtered_lrelu(
    x, bias, up_filter, down_filter, up=1, down=1, padding=(0,) * 4, slope=0.2, gain=1.0, clamp=None
):
    """x [N, H, W, C], bias [C]; filters [n], [n, n] or None."""
    y = up**2 * resample(x + bias, up_filter, up, padding=padding)
    y = np.where(y > 0, y, y * slope) * gain
    y = y if clamp is None else np.clip(y, -clamp, clamp)
    return resample(y, down_filter, down=down)
