"""LPIPS in float64 on torchvision's layers, numbered as `features` numbers them.

A state dict has keys "features.N.weight" (OIHW), "features.N.bias" and "linI.model.1.weight".
"""

import math

import numpy as np

from tests.reference import convolution

RELU = ("relu",)
POOL2, POOL3, CEIL3 = ("pool", 2, math.floor), ("pool", 3, math.floor), ("pool", 3, math.ceil)


def conv(channels, size=3, stride=1, pad=1):
    """A convolution and its ReLU."""
    return ("conv", channels, size, stride, pad), RELU


def block(channels, depth):
    return tuple(layer for _ in range(depth) for layer in conv(channels))


def fire(squeeze, expand):
    return ("fire", squeeze, expand)


LAYERS = {
    "alex": (
        *(*conv(64, 11, 4, 2), POOL3, *conv(192, 5, 1, 2), POOL3),
        *(*conv(384), *conv(256), *conv(256)),
    ),
    "vgg": (
        *(*block(64, 2), POOL2, *block(128, 2), POOL2, *block(256, 3), POOL2),
        *(*block(512, 3), POOL2, *block(512, 3)),
    ),
    "squeeze": (
        *(*conv(64, 3, 2, 0), CEIL3, fire(16, 64), fire(16, 64)),
        *(CEIL3, fire(32, 128), fire(32, 128), CEIL3),
        *(fire(48, 192), fire(48, 192), fire(64, 256), fire(64, 256)),
    ),
}

TAPS = {  # Layers that are compared.
    "alex": (1, 4, 7, 9, 11),
    "vgg": (3, 8, 15, 22, 29),
    "squeeze": (1, 4, 7, 9, 10, 11, 12),
}

SLICES = {  # Of the lpips package: the layers with weights that each holds.
    "alex": ((0,), (3,), (6,), (8,), (10,)),
    "vgg": ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)),
    "squeeze": ((0,), (3, 4), (6, 7), (9,), (10,), (11,), (12,)),
}

SHIFT, SCALE = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])


def random_state(trunk, rng):
    """A state dict whose maps neither vanish nor explode."""
    state, channels = {}, 3

    def add(key, inputs, outputs, size):
        deviation = math.sqrt(2 / (inputs * size**2))
        state[f"{key}.weight"] = deviation * rng.standard_normal((outputs, inputs, size, size))
        state[f"{key}.bias"] = 0.1 * rng.standard_normal(outputs)

    for number, layer in enumerate(LAYERS[trunk]):
        key = f"features.{number}"
        if layer[0] == "conv":
            add(key, channels, layer[1], layer[2])
            channels = layer[1]
        elif layer[0] == "fire":
            _, squeeze, expand = layer
            add(f"{key}.squeeze", channels, squeeze, 1)
            add(f"{key}.expand1x1", squeeze, expand, 1)
            add(f"{key}.expand3x3", squeeze, expand, 3)
            channels = 2 * expand
        if number in TAPS[trunk]:
            index = TAPS[trunk].index(number)
            state[f"lin{index}.model.1.weight"] = rng.uniform(size=(1, channels, 1, 1))
    return {key: value.astype(np.float32) for key, value in state.items()}


def package_state(trunk, state):
    """The same weights under the keys of the lpips package's module."""
    constants = {"shift": SHIFT, "scale": SCALE}
    package = {
        f"scaling_layer.{name}": np.asarray(value, np.float32).reshape(1, 3, 1, 1)
        for name, value in constants.items()
    }
    slices = {layer: i for i, held in enumerate(SLICES[trunk], start=1) for layer in held}
    for key, value in state.items():
        if key.startswith("lin"):
            package[key] = value
            package[key.replace("lin", "lins.", 1)] = value  # Newer versions list them twice.
        else:
            number = int(key.split(".")[1])
            package[key.replace("features", f"net.slice{slices[number]}")] = value
    return package


def convolve(x, state, key, stride=1, pad=0):
    kernel = state[f"{key}.weight"].transpose(2, 3, 1, 0)
    return convolution.correlate(x, kernel, stride, pad) + state[f"{key}.bias"]


def pool(x, size, rounding):
    """Maxima of windows at every second pixel; a window over the border sees what is there."""
    rows, columns = (rounding((length - size) / 2) + 1 for length in x.shape[1:3])
    windows = lambda i, j: x[:, 2 * i : 2 * i + size, 2 * j : 2 * j + size]  # noqa: E731
    maxima = [[windows(i, j).max(axis=(1, 2)) for j in range(columns)] for i in range(rows)]
    return np.stack([np.stack(row, axis=1) for row in maxima], axis=1)


def features(trunk, state, images):
    """Maps that are compared, from pictures [N, H, W, 3] in [-1, 1]."""
    x, maps = (images - SHIFT) / SCALE, []  # float64, as SHIFT is.
    for number, (kind, *rest) in enumerate(LAYERS[trunk]):
        key = f"features.{number}"
        if kind == "conv":
            x = convolve(x, state, key, *rest[2:])
        elif kind == "relu":
            x = np.maximum(x, 0)
        elif kind == "pool":
            x = pool(x, *rest)
        else:
            x = np.maximum(convolve(x, state, f"{key}.squeeze"), 0)
            pointwise = convolve(x, state, f"{key}.expand1x1")
            spatial = convolve(x, state, f"{key}.expand3x3", pad=1)
            x = np.maximum(np.concatenate([pointwise, spatial], axis=-1), 0)
        if number in TAPS[trunk]:
            maps.append(x)
    return maps


def unit(x):
    return x / (np.sqrt((x**2).sum(axis=-1, keepdims=True)) + 1e-10)


def difference_maps(trunk, state, images, target):
    """Weighted squared differences [N, h, w] of each map."""
    both = (features(trunk, state, pictures) for pictures in (images, target))
    return [
        ((unit(x) - unit(y)) ** 2 * state[f"lin{index}.model.1.weight"].ravel()).sum(axis=-1)
        for index, (x, y) in enumerate(zip(*both, strict=True))
    ]


def shares(trunk, state, images, target):
    """Share of each map in the distance, [N, number of maps]."""
    maps = difference_maps(trunk, state, images, target)
    return np.stack([x.mean(axis=(1, 2)) for x in maps], axis=1)
