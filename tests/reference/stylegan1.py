"""StyleGAN's generator in float64 from its description; `variables` are nested dicts of arrays.

Written as the original computes it: maps are doubled before they are convolved, and every head runs
and fades into the next ("linear structure").
"""

import numpy as np

from tests.reference import convolution
from tests.reference.stylegan2 import normalize
from tests.reference.upfirdn2d import upfirdn2d

BINOMIAL = np.outer([1, 2, 1], [1, 2, 1]) / 16


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x)


def mapping(z, c, params):
    """z [N, Z], c [N, C] or None -> w [N, W]."""
    x = z if c is None else np.concatenate([z, c @ params["label"]["kernel"]], axis=1)
    x = normalize(x)
    for index in range(sum(name.startswith("dense") for name in params)):
        dense = params[f"dense{index}"]
        weights = dense["kernel"] * np.sqrt(2) / np.sqrt(x.shape[1]) * 0.01
        x = lrelu(x @ weights + dense["bias"] * 0.01)
    return x


def twice(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def blur(x):
    return upfirdn2d(x, BINOMIAL, padding=(1, 1, 1, 1))


def fused_upsample(x, kernel):
    """What the original runs from 128 on: x [N, H, W, I], kernel [3, 3, I, O] -> [N, 2H, 2W, O].

    A transposed convolution of stride 2 that crops one pixel; its 4x4 kernel is the sum of the 3x3
    kernel shifted to each of four places.
    """
    wide = np.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    wide = wide[1:, 1:] + wide[:-1, 1:] + wide[1:, :-1] + wide[:-1, :-1]
    n, height, width, _ = x.shape
    y = np.zeros((n, 2 * height + 2, 2 * width + 2, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            y[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum(
                "ni,abio->nabo", x[:, i, j], wide
            )
    return y[:, 1:-1, 1:-1]


def convolve(x, kernel):
    return convolution.same(x, kernel * np.sqrt(2) / np.sqrt(9 * kernel.shape[2]))


def epilogue(x, w, params, noise):
    """Noise, bias, leaky ReLU, instance norm, style."""
    x = lrelu(x + noise[None, :, :, None] * params["noise_strength"] + params["bias"])
    x = x - x.mean(axis=(1, 2), keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=(1, 2), keepdims=True) + 1e-8)
    style = w @ params["affine"]["kernel"] / np.sqrt(w.shape[1]) + params["affine"]["bias"]
    style = style.reshape(len(w), 2, 1, 1, -1)
    return x * (style[:, 0] + 1) + style[:, 1]


def head(x, params):
    return x @ params["kernel"][0, 0] / np.sqrt(x.shape[3]) + params["bias"]


def synthesis(ws, variables, num_blocks, lod=0.0):
    """ws [N, L, W] -> picture [N, R, R, 3]."""
    x, image = np.repeat(variables["params"]["b4"]["const"]["const"][None], len(ws), axis=0), None
    for index in range(num_blocks):
        params = variables["params"][f"b{4 << index}"]
        buffers = variables["buffers"][f"b{4 << index}"]
        name = "conv0" if index else "const"
        if index:
            x = blur(convolve(twice(x), params["conv0"]["kernel"]))
        x = epilogue(x, ws[:, 2 * index], params[name], buffers[name]["noise_const"])
        x = convolve(x, params["conv1"]["kernel"])
        x = epilogue(x, ws[:, 2 * index + 1], params["conv1"], buffers["conv1"]["noise_const"])
        colours = head(x, params["torgb"])
        if image is None:
            image = colours
        else:
            fading = np.clip(lod - (num_blocks - 1 - index), 0, 1)
            image = colours + (twice(image) - colours) * fading
    return image
