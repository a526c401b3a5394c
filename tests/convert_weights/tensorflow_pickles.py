"""Pickles as NVIDIA's TensorFlow code writes them, from names and shapes of the original networks.

They are written by Python's own pickle, of instances of a class called as the original's is. Names
and shapes stand here once more, apart from the name maps, so that a slip in these shows.
"""

import pickle
import sys
import types
from contextlib import contextmanager

import numpy as np

SOURCE = "open('canary', 'w').close()  # What the original loader would run."


class Network:
    """Keeps what dnnlib.tflib.network.Network.__getstate__ returns."""

    def __init__(self, function, arguments, variables, components=None):
        self.__dict__.update(
            version=4,
            name=function.partition("_")[0],
            static_kwargs=arguments,
            components=components or {},
            build_module_src=SOURCE,
            build_func_name=function,
            variables=list(variables.items()),
        )


@contextmanager
def _original_module():
    """Makes `Network` known under its original name, for pickle to write that."""
    names = ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network")
    sys.modules.update({name: types.ModuleType(name) for name in names})
    sys.modules[names[-1]].Network = Network
    Network.__module__ = names[-1]
    try:
        yield
    finally:
        Network.__module__ = __name__
        for name in names:
            del sys.modules[name]


def dump(content, protocol=4):
    with _original_module():
        return pickle.dumps(content, protocol)


def draw(shapes, seed=0):
    """Variable name -> random float32 array; of rank 0 a NumPy scalar, as TensorFlow gives it."""
    rng = np.random.default_rng(seed)
    return {name: np.float32(rng.standard_normal(shape)) for name, shape in shapes.items()}


def _grown(resolution):
    """Resolutions 8, 16, ... as texts such as 8x8, with their index from 1 on."""
    count = resolution.bit_length() - 2
    return [(index, f"{4 << index}x{4 << index}") for index in range(1, count)]


# StyleGAN. Every layer: bias, strength of noise per channel, style.


def stylegan1_mapping(z_dim, w_dim, depth=2, c_dim=0):
    label = {"LabelConcat/weight": (c_dim, z_dim)} if c_dim else {}
    sizes = [2 * z_dim if c_dim else z_dim, *[w_dim] * depth]
    dense = {
        f"Dense{i}/{part}": shape
        for i in range(depth)
        for part, shape in (("weight", (sizes[i], sizes[i + 1])), ("bias", (sizes[i + 1],)))
    }
    return {**label, **dense}


def stylegan1_synthesis(channels, w_dim, image_channels=3):
    levels = [(0, "4x4"), *_grown(2 << len(channels))]
    shapes = {"lod": ()}
    for index, level in levels:
        width = channels[index]
        size = (1, 1, 4 << index, 4 << index)
        shapes |= {f"noise{2 * index}": size, f"noise{2 * index + 1}": size}
        first = f"{level}/Conv0_up" if index else f"{level}/Const"
        second = f"{level}/Conv1" if index else f"{level}/Conv"
        if index:
            shapes[f"{first}/weight"] = (3, 3, channels[index - 1], width)
        else:
            shapes[f"{first}/const"] = (1, width, 4, 4)
        shapes[f"{second}/weight"] = (3, 3, width, width)
        for layer in (first, second):
            shapes |= {
                f"{layer}/bias": (width,),
                f"{layer}/Noise/weight": (width,),
                f"{layer}/StyleMod/weight": (w_dim, 2 * width),
                f"{layer}/StyleMod/bias": (2 * width,),
            }
        head = f"ToRGB_lod{len(channels) - 1 - index}"
        shapes |= {f"{head}/weight": (1, 1, width, image_channels)}
        shapes |= {f"{head}/bias": (image_channels,)}
    return shapes


def stylegan1(channels, *, z_dim, w_dim, c_dim=0, lod=0.0, seed=0, **arguments):
    """A generator of StyleGAN as its class holds it."""
    mapping = draw(stylegan1_mapping(z_dim, w_dim, c_dim=c_dim), seed)
    mapping = {k: 100 * v if k.startswith("Dense") else v for k, v in mapping.items()}
    synthesis = {**draw(stylegan1_synthesis(channels, w_dim), seed + 1), "lod": np.float32(lod)}
    own = {"lod": np.float32(lod), **draw({"dlatent_avg": (w_dim,)}, seed + 2)}
    arguments = {"resolution": 2 << len(channels), "label_size": c_dim, **arguments}
    parts = {
        "synthesis": Network("G_synthesis", arguments, synthesis),
        "mapping": Network("G_mapping", arguments, mapping),
    }
    return Network("G_style", arguments, own, parts)


# StyleGAN2. Every layer: weight, style with its bias, and bias; convolutions have noise.


def stylegan2_mapping(z_dim, w_dim, depth=2, c_dim=0):
    shapes = stylegan1_mapping(z_dim + (w_dim if c_dim else 0), w_dim, depth)
    embed = {"LabelEmbed/weight": (c_dim, w_dim), "LabelEmbed/bias": (w_dim,)} if c_dim else {}
    return {**embed, **shapes}


def stylegan2_synthesis(channels, w_dim, architecture="skip", image_channels=3, heads=False):
    """With `heads` as configurations B to D, whose ToRGBs are called after levels of growth."""
    last = len(channels) - 1
    shapes = {}

    def layer(name, kernel, inputs, outputs):
        shapes.update(
            {
                f"{name}/weight": (kernel, kernel, inputs, outputs),
                f"{name}/mod_weight": (w_dim, inputs),
                f"{name}/mod_bias": (inputs,),
                f"{name}/bias": (outputs,),
            }
        )
        if kernel == 3:
            shapes[f"{name}/noise_strength"] = ()

    shapes["noise0"], shapes["4x4/Const/const"] = (1, 1, 4, 4), (1, channels[0], 4, 4)
    layer("4x4/Conv", 3, channels[0], channels[0])
    for index, level in _grown(2 << len(channels)):
        size = (1, 1, 4 << index, 4 << index)
        shapes |= {f"noise{2 * index - 1}": size, f"noise{2 * index}": size}
        layer(f"{level}/Conv0_up", 3, channels[index - 1], channels[index])
        layer(f"{level}/Conv1", 3, channels[index], channels[index])
        if architecture == "resnet":
            shapes[f"{level}/Skip/weight"] = (1, 1, channels[index - 1], channels[index])
    for index, width in enumerate(channels):
        level = f"{4 << index}x{4 << index}"
        if heads:
            layer(f"ToRGB_lod{last - index}", 1, width, image_channels)
        elif architecture == "skip" or index == last:
            layer(f"{level}/ToRGB", 1, width, image_channels)
    return shapes


def stylegan2(channels, *, z_dim, w_dim, c_dim=0, seed=0, heads=False, **arguments):
    """A generator of StyleGAN2 as its class holds it."""
    mapping = draw(stylegan2_mapping(z_dim, w_dim, c_dim=c_dim), seed)
    mapping = {k: 100 * v if k.startswith("Dense") else v for k, v in mapping.items()}
    architecture = arguments.get("architecture", "skip")
    shapes = stylegan2_synthesis(channels, w_dim, architecture, heads=heads)
    own = {"lod": np.float32(0), **draw({"dlatent_avg": (w_dim,)}, seed + 2)}
    arguments = {"resolution": 2 << len(channels), "label_size": c_dim, **arguments}
    parts = {
        "synthesis": Network("G_synthesis_stylegan2", arguments, draw(shapes, seed + 1)),
        "mapping": Network("G_mapping", arguments, mapping),
    }
    return Network("G_main", arguments, own, parts)


def discriminator(channels, *, c_dim=0, cmap_dim=5, seed=7, function="D_stylegan2", **arguments):
    """A discriminator of StyleGAN2; with labels as stylegan2-ada has them."""
    architecture, last = arguments.get("architecture", "resnet"), len(channels) - 1
    shapes = {}

    def layer(name, shape, bias=True):
        shapes[f"{name}/weight"] = shape
        if bias:
            shapes[f"{name}/bias"] = shape[-1:]

    for index in reversed(range(len(channels))):
        level, width = f"{4 << index}x{4 << index}", channels[index]
        if index == last or architecture == "skip":
            layer(f"{level}/FromRGB", (1, 1, 3, width))
        if index:
            layer(f"{level}/Conv0", (3, 3, width, width))
            layer(f"{level}/Conv1_down", (3, 3, width, channels[index - 1]))
            if architecture == "resnet":
                layer(f"{level}/Skip", (1, 1, width, channels[index - 1]), bias=False)
    layer("4x4/Conv", (3, 3, channels[0] + 1, channels[0]))
    layer("4x4/Dense0", (16 * channels[0], channels[0]))
    layer("Output", (channels[0], cmap_dim if c_dim else 1))
    if c_dim:
        layer("LabelEmbed", (c_dim, cmap_dim))
    arguments = {"resolution": 2 << len(channels), "label_size": c_dim, **arguments}
    return Network(function, arguments, draw(shapes, seed))
