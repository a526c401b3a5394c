"""StyleGAN and StyleGAN2 in float64 from variables under their TensorFlow names.

Arrays are used as TensorFlow lays them out, so that a converter's turns and sums are checked.
"""

import numpy as np

from tests.reference import convolution, stylegan1
from tests.reference import stylegan2 as reference
from tests.reference.minibatch_std import minibatch_std
from tests.reference.upfirdn2d import upfirdn2d


def below(variables, prefix):
    """The variables whose name begins with `prefix` and a slash, without it, in float64."""
    start = f"{prefix}/"
    return {
        name.removeprefix(start): np.asarray(value, np.float64)
        for name, value in variables.items()
        if name.startswith(start)
    }


def stylegan1_picture(variables, ws, num_blocks, fused_from=128):
    """Variables of a whole generator, ws [N, L, W] -> picture of a finished network."""
    v = below(variables, "synthesis")

    def epilogue(x, name, row):
        part = below(v, name)
        affine = {"kernel": part["StyleMod/weight"], "bias": part["StyleMod/bias"]}
        params = {"noise_strength": part["Noise/weight"], "bias": part["bias"], "affine": affine}
        return stylegan1.epilogue(x, ws[:, row], params, v[f"noise{row}"][0, 0])

    x = np.repeat(v["4x4/Const/const"].transpose(0, 2, 3, 1), len(ws), axis=0)
    x = epilogue(x, "4x4/Const", 0)
    x = epilogue(stylegan1.convolve(x, v["4x4/Conv/weight"]), "4x4/Conv", 1)
    for index in range(1, num_blocks):
        level = f"{4 << index}x{4 << index}"
        kernel = v[f"{level}/Conv0_up/weight"]
        scaled = kernel * np.sqrt(2 / (9 * kernel.shape[2]))
        if 4 << index >= fused_from:
            x = stylegan1.fused_upsample(x, scaled)
        else:
            x = convolution.same(stylegan1.twice(x), scaled)
        x = epilogue(stylegan1.blur(x), f"{level}/Conv0_up", 2 * index)
        x = stylegan1.convolve(x, v[f"{level}/Conv1/weight"])
        x = epilogue(x, f"{level}/Conv1", 2 * index + 1)
    return stylegan1.head(x, {"kernel": v["ToRGB_lod0/weight"], "bias": v["ToRGB_lod0/bias"]})


def _upsample(x, kernel):
    """Zeros between the pixels, then a correlation with the stored kernel, then the filter."""
    n, height, width, channels = x.shape
    stuffed = np.zeros((n, 2 * height - 1, 2 * width - 1, channels))
    stuffed[:, ::2, ::2] = x
    y = convolution.correlate(stuffed, kernel, pad=2)
    return upfirdn2d(y, convolution.F4, padding=(1, 1, 1, 1), gain=4)


def _upsample_pointwise(x, kernel):
    return upfirdn2d(x @ kernel[0, 0], convolution.F4, up=(2, 2), padding=(2, 1, 2, 1), gain=4)


def stylegan2_picture(variables, ws, num_blocks, colours="{level}/ToRGB"):
    """Variables of a whole generator, ws [N, L, W] -> picture; architecture by the names."""
    v = below(variables, "synthesis")

    def style(name, row):
        kernel = v[f"{name}/mod_weight"] / np.sqrt(ws.shape[2])
        return ws[:, row] @ kernel + v[f"{name}/mod_bias"] + 1

    def layer(x, name, row, convolve):
        kernel = v[f"{name}/weight"] / np.sqrt(9 * x.shape[3])
        y = convolution.modulated(x, kernel, style(name, row), convolve)
        noise = v[f"noise{row}"][0, 0, :, :, None] * v[f"{name}/noise_strength"]
        return reference.lrelu(y + noise + v[f"{name}/bias"])

    def head(x, name, row):
        kernel = v[f"{name}/weight"] / np.sqrt(x.shape[3])
        same = convolution.same
        y = convolution.modulated(x, kernel, style(name, row), same, demodulate=False)
        return y + v[f"{name}/bias"]

    image = None
    x = np.repeat(v["4x4/Const/const"].transpose(0, 2, 3, 1), len(ws), axis=0)
    for index in range(num_blocks):
        level = f"{4 << index}x{4 << index}"
        entering = x
        if index:
            x = layer(x, f"{level}/Conv0_up", 2 * index - 1, _upsample)
        last = f"{level}/Conv1" if index else "4x4/Conv"
        x = layer(x, last, 2 * index, convolution.same)
        if f"{level}/Skip/weight" in v:
            kernel = v[f"{level}/Skip/weight"] / np.sqrt(entering.shape[3])
            x = (x + _upsample_pointwise(entering, kernel)) / np.sqrt(2)
        if image is not None:
            image = upfirdn2d(image, convolution.F4, up=(2, 2), padding=(2, 1, 2, 1), gain=4)
        name = colours.format(level=level)
        if f"{name}/weight" in v and (index == num_blocks - 1 or "{level}" in colours):
            own = head(x, name, 2 * index + 1)
            image = own if image is None else image + own
    return image


def stylegan2_logits(variables, images, c=None, group_size=4):
    """Variables of a residual discriminator, images [N, R, R, 3], c [N, C] or None -> [N, 1]."""
    v = {name: np.asarray(value, np.float64) for name, value in variables.items()}

    def conv(x, name, resample="none"):
        params = {"kernel": v[f"{name}/weight"]}
        if f"{name}/bias" in v:
            params["bias"] = v[f"{name}/bias"]
        return reference.conv(x, params, resample)

    def dense(x, name):
        return x @ v[f"{name}/weight"] / np.sqrt(x.shape[1]) + v[f"{name}/bias"]

    resolution = images.shape[1]
    x = reference.lrelu(conv(images, f"{resolution}x{resolution}/FromRGB"))
    while resolution > 4:
        level = f"{resolution}x{resolution}"
        y = reference.lrelu(conv(x, f"{level}/Conv0"))
        y = reference.lrelu(conv(y, f"{level}/Conv1_down", "down"))
        x = (conv(x, f"{level}/Skip", "down") + y) / np.sqrt(2)
        resolution //= 2
    x = minibatch_std(x, min(group_size or len(x), len(x)), 1)
    x = reference.lrelu(conv(x, "4x4/Conv")).transpose(0, 3, 1, 2).reshape(len(x), -1)
    x = dense(reference.lrelu(dense(x, "4x4/Dense0")), "Output")
    if c is None:
        return x
    label = reference.normalize(dense(c, "LabelEmbed"))
    return (x * label).sum(axis=1, keepdims=True) / np.sqrt(x.shape[1])
