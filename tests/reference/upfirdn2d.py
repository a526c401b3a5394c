"""upfirdn2d by its definition: insert zeros, pad, convolve where the filter fits, drop samples."""

import numpy as np


def _axis_matrix(length, taps, up, down, before, after):
    """For each tap a matrix [outputs, length]: which input sample an output meets there."""
    stuffed = np.zeros((length * up, length))
    stuffed[np.arange(length) * up, np.arange(length)] = 1
    stuffed = np.pad(stuffed, ((max(before, 0), max(after, 0)), (0, 0)))
    stuffed = stuffed[max(-before, 0) : len(stuffed) - max(-after, 0)]
    return [
        stuffed[taps - 1 - tap : len(stuffed) - tap][::down] for tap in range(taps)
    ]  # y[k] = sum_t f[t] x[k + taps - 1 - t]


def upfirdn2d(x, f, up=(1, 1), down=(1, 1), padding=(0, 0, 0, 0), gain=1.0):
    """x [N, H, W, C]; f [rows, columns]; factors (x, y); padding (x0, x1, y0, y1)."""
    rows = _axis_matrix(x.shape[1], f.shape[0], up[1], down[1], *padding[2:])
    columns = _axis_matrix(x.shape[2], f.shape[1], up[0], down[0], *padding[:2])
    return gain * sum(
        f[i, j] * np.einsum("hi,wj,nijc->nhwc", rows[i], columns[j], x)
        for i in range(f.shape[0])
        for j in range(f.shape[1])
    )
