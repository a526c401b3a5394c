"""StyleGAN3's synthesis in float64 from its equations; `variables` are nested dicts of arrays.

Sizes, rates and filters come from the layer table, which has tests of its own.
"""

import numpy as np

from tests.reference import convolution
from tests.reference.filtered_lrelu import filtered_lrelu
from tests.reference.stylegan2 import dense


def fourier_input(w, params, buffers, level):
    """w [N, W] -> waves mixed by the matrix, [N, S, S, C], sample by sample and wave by wave."""
    channels, size = len(buffers["freqs"]), level.size
    codes = w @ params["affine_kernel"] / np.sqrt(w.shape[1]) + params["affine_bias"]
    grid = (np.arange(size) + 0.5 - size / 2) / level.rate
    pictures = []
    for code in codes:
        cos, sin, x, y = code / np.hypot(code[0], code[1])
        rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        shift = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
        matrix = rotation @ shift @ buffers["transform"]
        waves = np.zeros((size, size, channels))
        for index, (freq, phase) in enumerate(
            zip(buffers["freqs"], buffers["phases"], strict=True)
        ):
            moved, turn = freq @ matrix[:2, :2], phase + freq @ matrix[:2, 2]
            beyond = (np.hypot(*moved) - level.cutoff) / (level.rate / 2 - level.cutoff)
            angle = moved[0] * grid[None] + moved[1] * grid[:, None] + turn
            waves[..., index] = np.clip(1 - beyond, 0, 1) * np.sin(2 * np.pi * angle)
        pictures.append(waves @ params["kernel"] / np.sqrt(channels))
    return np.stack(pictures)


def widening(x, kernel):
    return convolution.correlate(x, kernel, pad=len(kernel) - 1)


def alias_free_conv(x, w, params, magnitude, layer):
    """One layer before ToRGB."""
    style = dense(w, params["affine"])
    y = convolution.modulated(x, params["kernel"], style, widening) / np.sqrt(magnitude)
    filters = (np.float64(layer.up_filter), np.float64(layer.down_filter))
    factors = {"up": layer.up, "down": layer.down, "padding": layer.padding}
    return filtered_lrelu(y, params["bias"], *filters, **factors, gain=np.sqrt(2), clamp=256)


def to_rgb(x, w, params, magnitude):
    style = dense(w, params["affine"]) / np.sqrt(x.shape[3] * magnitude)
    y = convolution.modulated(x, params["kernel"], style, widening, demodulate=False)
    return np.clip(y + params["bias"], -256, 256)


def synthesis(ws, variables, layers):
    """ws [N, L, W] -> picture [N, R, R, 3]."""
    params, buffers = variables["params"], variables["buffers"]
    x = fourier_input(ws[:, 0], params["input"], buffers["input"], layers[0].source)
    for layer in layers:
        magnitude = buffers[layer.name]["magnitude_ema"]
        if layer.kind == "torgb":
            return 0.25 * to_rgb(x, ws[:, layer.row], params[layer.name], magnitude)
        x = alias_free_conv(x, ws[:, layer.row], params[layer.name], magnitude, layer)
    raise AssertionError("no ToRGB")
