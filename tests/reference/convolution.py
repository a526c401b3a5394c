"""Convolutions tap by tap: x [N, H, W, I], kernel [k, k, I, O]; resampling as compositions."""

import numpy as np

from tests.reference.upfirdn2d import upfirdn2d

F4 = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def correlate(x, kernel, stride=1, pad=0):
    """y[i] = sum_a x[stride i + a - pad] kernel[a], zeros outside."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    height, width = (length - len(kernel) + 1 for length in x.shape[1:3])
    y = sum(
        x[:, a : a + height, b : b + width] @ kernel[a, b]
        for a in range(len(kernel))
        for b in range(len(kernel))
    )
    return y[:, ::stride, ::stride]


def same(x, kernel, stride=1):
    """The size stays before the stride."""
    return correlate(x, kernel, stride, pad=(len(kernel) - 1) // 2)


def transposed(x, kernel):
    """y[2i + a] += x[i] kernel[a]."""
    n, height, width, _ = x.shape
    y = np.zeros((n, 2 * height + 1, 2 * width + 1, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            for a in range(3):
                for b in range(3):
                    y[:, 2 * i + a, 2 * j + b] += x[:, i, j] @ kernel[a, b]
    return y


def upsample(x, kernel):
    if len(kernel) == 1:
        return upfirdn2d(correlate(x, kernel), F4, up=(2, 2), padding=(2, 1, 2, 1), gain=4)
    return upfirdn2d(transposed(x, kernel), F4, padding=(1, 1, 1, 1), gain=4)


def downsample(x, kernel):
    if len(kernel) == 1:
        return correlate(upfirdn2d(x, F4, down=(2, 2), padding=(1, 1, 1, 1)), kernel)
    return correlate(upfirdn2d(x, F4, padding=(2, 2, 2, 2)), kernel, stride=2)


def modulated(x, kernel, styles, convolution, demodulate=True):
    """Each sample with a kernel of its own, scaled by its style [I], then normalised."""
    outputs = []
    for image, style in zip(x, styles, strict=True):
        weights = kernel * style[:, None]
        if demodulate:
            weights = weights / np.sqrt((weights**2).sum(axis=(0, 1, 2)) + 1e-8)
        outputs.append(convolution(image[None], weights)[0])
    return np.stack(outputs)
