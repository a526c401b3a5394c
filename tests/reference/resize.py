"""Resizing pixel by pixel: x [N, H, W, C] -> [N, height, width, C]."""

import math

import numpy as np


def _sample(x, row, column):
    """Bilinear interpolation at one position; outside the image the edge continues."""
    height, width = x.shape[1:3]
    row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
    top, left = math.floor(row), math.floor(column)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    a, b = row - top, column - left
    upper = (1 - b) * x[:, top, left] + b * x[:, top, right]
    lower = (1 - b) * x[:, bottom, left] + b * x[:, bottom, right]
    return (1 - a) * upper + a * lower


def _build(x, size, pixel):
    rows = [[pixel(i, j) for j in range(size[1])] for i in range(size[0])]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def resize_bilinear(x, size):
    scale = [length / outputs for length, outputs in zip(x.shape[1:3], size, strict=True)]
    centre = lambda i, s: (i + 0.5) * s - 0.5  # noqa: E731
    return _build(x, size, lambda i, j: _sample(x, centre(i, scale[0]), centre(j, scale[1])))


def resize_bilinear_aligned(x, size):
    step = [
        (length - 1) / (outputs - 1) if outputs > 1 else 0
        for length, outputs in zip(x.shape[1:3], size, strict=True)
    ]
    return _build(x, size, lambda i, j: _sample(x, i * step[0], j * step[1]))


def resize_nearest(x, size):
    height, width = x.shape[1:3]
    return _build(x, size, lambda i, j: x[:, i * height // size[0], j * width // size[1]])


def adaptive_average_pool(x, size):
    def span(i, length, outputs):
        return slice(math.floor(i * length / outputs), math.ceil((i + 1) * length / outputs))

    def pixel(i, j):
        rows, columns = span(i, x.shape[1], size[0]), span(j, x.shape[2], size[1])
        return x[:, rows, columns].mean(axis=(1, 2))

    return _build(x, size, pixel)


def reduce_bicubic(x, factor):
    """Sums of 4 factor samples by Keys's kernel, [N, H, W, C] -> [N, H / factor, W / factor, C]."""

    def keys(d):
        d = abs(d)
        if d <= 1:
            return 1.5 * d**3 - 2.5 * d**2 + 1
        return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0

    kernel = np.array([keys((i - 2 * factor + 0.5) / factor) for i in range(4 * factor)])
    before = 3 * factor // 2
    pad = (before, 3 * factor - before)
    for axis in (1, 2):
        widths = [pad if i == axis else (0, 0) for i in range(4)]
        padded = np.moveaxis(np.pad(x, widths, mode="reflect"), axis, 0)
        starts = range(0, padded.shape[0] - 4 * factor + 1, factor)
        rows = [np.tensordot(kernel, padded[i : i + 4 * factor], 1) for i in starts]
        x = np.moveaxis(np.stack(rows), 0, axis) / kernel.sum()
    return x
