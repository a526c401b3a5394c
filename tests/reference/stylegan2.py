"""StyleGAN2 in float64 from its equations; `variables` are nested dicts of NumPy arrays.

Every network reads its own collections: {"params": {...}, "buffers": {...}}.
"""

import numpy as np

from tests.reference import convolution
from tests.reference.minibatch_std import minibatch_std
from tests.reference.upfirdn2d import upfirdn2d

CONVOLUTIONS = {
    "none": convolution.same,
    "up": convolution.upsample,
    "down": convolution.downsample,
}


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x) * np.sqrt(2)


def normalize(x):
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-8)


def dense(x, params, rate=1.0):
    return x @ params["kernel"] * rate / np.sqrt(x.shape[1]) + params["bias"] * rate


def conv(x, params, resample="none"):
    size, _, channels, _ = params["kernel"].shape
    y = CONVOLUTIONS[resample](x, params["kernel"] / np.sqrt(size * size * channels))
    return y + params["bias"] if "bias" in params else y


def mapping(z, c, variables):
    """z [N, Z] or None, c [N, C] or None -> w [N, W]."""
    params = variables["params"]
    parts = [] if z is None else [normalize(z)]
    if c is not None:
        parts.append(normalize(dense(c, params["embed"])))
    x = np.concatenate(parts, axis=1)
    for index in range(sum(name.startswith("dense") for name in params)):
        x = lrelu(dense(x, params[f"dense{index}"], rate=0.01))
    return x


def styled_conv(x, w, params, noise, resample):
    style = dense(w, params["affine"])
    y = convolution.modulated(x, params["kernel"], style, CONVOLUTIONS[resample])
    return lrelu(y + params["noise_strength"] * noise[None, :, :, None] + params["bias"])


def to_rgb(x, w, params):
    style = dense(w, params["affine"]) / np.sqrt(x.shape[3])
    y = convolution.modulated(x, params["kernel"], style, convolution.same, demodulate=False)
    return y + params["bias"]


def synthesis(ws, variables, num_blocks):
    """ws [N, L, W] -> picture [N, R, R, 3]; "skip", "resnet" and "orig" by the arrays present."""
    x, image = np.repeat(variables["params"]["b4"]["const"][None], len(ws), axis=0), None
    for index in range(num_blocks):
        params = variables["params"][f"b{4 << index}"]
        buffers = variables["buffers"][f"b{4 << index}"]
        gain = np.sqrt(0.5) if "skip" in params else 1
        skip = conv(x, params["skip"], "up") * gain if "skip" in params else 0
        if index:
            noise = buffers["conv0"]["noise_const"]
            x = styled_conv(x, ws[:, 2 * index - 1], params["conv0"], noise, "up")
        noise = buffers["conv1"]["noise_const"]
        x = skip + gain * styled_conv(x, ws[:, 2 * index], params["conv1"], noise, "none")
        if image is not None:
            image = upfirdn2d(image, convolution.F4, up=(2, 2), padding=(2, 1, 2, 1), gain=4)
        if "torgb" in params:
            colours = to_rgb(x, ws[:, 2 * index + 1], params["torgb"])
            image = colours if image is None else image + colours
    return image


def discriminator(images, c, variables, num_blocks, group_size=4):
    """images [N, R, R, 3], c [N, C] or None -> logits [N, 1]; architecture by the arrays."""
    params, image, x = variables["params"], images, 0
    for index in reversed(range(num_blocks)):
        name = f"b{4 << index}"
        if f"{name}_fromrgb" in params:
            x = x + lrelu(conv(image, params[f"{name}_fromrgb"]["conv"]))
        if not index:
            break
        block = params[name]
        y = lrelu(conv(lrelu(conv(x, block["conv0"])), block["conv1"], "down"))
        residual = "skip" in block
        x = (conv(x, block["skip"], "down") + y) * np.sqrt(0.5) if residual else y
        image = upfirdn2d(image, convolution.F4, down=(2, 2), padding=(1, 1, 1, 1))
    x = minibatch_std(x, min(group_size, len(x)), 1)
    x = lrelu(conv(x, params["b4"]["conv"])).reshape(len(x), -1)
    x = dense(lrelu(dense(x, params["b4"]["dense"])), params["b4"]["out"])
    if c is None:
        return x
    label = mapping(None, c, {"params": params["mapping"]})
    return (x * label).sum(axis=1, keepdims=True) / np.sqrt(x.shape[1])
