"""Residual units of face encoders in float64; `params` and `stats` are nested dicts of arrays."""

import numpy as np

from tests.reference import convolution


def batch_norm(x, params, stats):
    return (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-5) * params["scale"] + params["bias"]


def prelu(x, params):
    return np.maximum(x, 0) + params["slope"] * np.minimum(x, 0)


def squeeze_excitation(x, params):
    hidden = np.maximum(x.mean(axis=(1, 2)) @ params["reduce"]["kernel"][0, 0], 0)
    scale = 1 / (1 + np.exp(-hidden @ params["expand"]["kernel"][0, 0]))
    return x * scale[:, None, None]


def branch(x, params, stats, stride):
    y = batch_norm(x, params["norm1"], stats["norm1"])
    y = convolution.same(y, params["conv1"]["kernel"])
    if "norm2" in params:
        y = batch_norm(y, params["norm2"], stats["norm2"])
    y = convolution.same(prelu(y, params["prelu"]), params["conv2"]["kernel"], stride)
    y = batch_norm(y, params["norm3"], stats["norm3"])
    return squeeze_excitation(y, params["squeeze"]) if "squeeze" in params else y


def unit(x, params, stats, stride):
    shortcut = x[:, ::stride, ::stride]
    if "shortcut_conv" in params:
        shortcut = convolution.same(x, params["shortcut_conv"]["kernel"], stride)
        shortcut = batch_norm(shortcut, params["shortcut_norm"], stats["shortcut_norm"])
    return shortcut + branch(x, params["branch"], stats["branch"], stride)


def stem(x, params, stats):
    y = convolution.same(x, params["conv"]["kernel"])
    return prelu(batch_norm(y, params["norm"], stats["norm"]), params["prelu"])


def body(x, params, stats, strides):
    """Outputs of every unit named unit0, unit1, ..."""
    outputs = [stem(x, params["stem"], stats["stem"])]
    for index, stride in enumerate(strides):
        name = f"unit{index}"
        outputs.append(unit(outputs[-1], params[name], stats[name], stride))
    return outputs[1:]
