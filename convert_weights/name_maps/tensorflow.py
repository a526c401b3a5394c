"""StyleGAN2 as NVIDIA's TensorFlow code writes it, of 2019 and with ADA.

Arrays lie as ours do, but for three things: constants and noise have unit axes and channels first,
the kernel of an upsampling convolution is stored reversed, and biases of styles lack the 1 that
they begin with. What the arrays leave open stands among the arguments that a network was built
with; an argument under which it would be another network is refused.

Source: NVlabs/stylegan2 training/networks_stylegan2.py; NVlabs/stylegan2-ada training/networks.py;
stylegan2-ada-pytorch legacy.py.
"""

import re
from collections.abc import Iterable, Mapping
from reprlib import repr as shown
from typing import Any

import numpy as np

from convert_weights.layouts import (
    BATCHED_CONST,
    NOISE,
    PLUS_ONE,
    REVERSED,
    SAME,
    Entry,
    State,
    flattened_dense,
    transposed,
    weight_and_bias,
)
from sfe_jax.core.errors import WeightsError
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.layer_table import Architecture, Layer, resolutions
from sfe_jax.models.stylegan2 import Generator

IGNORED = (r"(synthesis/)?lod",)
"""Variables that tell how far a network has grown; they are read beforehand."""

SHOWN = frozenset(
    {
        "num_channels",
        "resolution",
        "label_size",
        "latent_size",
        "dlatent_size",
        "mapping_layers",
        "mapping_fmaps",
        "label_fmaps",
        "fmap_base",
        "fmap_decay",
        "fmap_min",
        "fmap_max",
        "architecture",
        "mbstd_num_features",
        "use_noise",
    }
)
"""Arguments that the arrays show by their names and shapes."""

PASSING = frozenset(
    {
        "truncation_psi",
        "truncation_cutoff",
        "truncation_psi_val",
        "truncation_cutoff_val",
        "style_mixing_prob",
        "dlatent_avg_beta",
        "w_avg_beta",
        "randomize_noise",
        "conditioning",
        "structure",
        "fused_modconv",
        "num_fp16_res",
        "dtype",
        "freeze_layers",
    }
)
"""Arguments that a caller chooses anew: of training, of sampling, of precision."""

GENERATOR_ARGUMENTS = {
    "mapping_func": ("G_mapping",),
    "synthesis_func": ("G_synthesis", "G_synthesis_stylegan2", "G_synthesis_stylegan_revised"),
    "mapping_lrmul": (0.01,),
    "mapping_nonlinearity": ("lrelu",),
    "normalize_latents": (True,),
    "nonlinearity": ("lrelu",),
    "resample_kernel": ((1, 3, 3, 1),),
}
"""Arguments of a generator that make it another network, with the values that ours has."""

DISCRIMINATOR_ARGUMENTS = {
    "mapping_nonlinearity": ("lrelu",),
    "nonlinearity": ("lrelu",),
    "resample_kernel": ((1, 3, 3, 1),),
}
"""The same of a discriminator."""

LABEL_RATE = 0.01
"""Learning-rate multiplier of the dense layers behind a label, as our discriminator has them."""


def count(state: State, pattern: str) -> int:
    """How many variables match `pattern` in full."""
    return sum(bool(re.fullmatch(pattern, name)) for name in state)


def widths(state: State, pattern: str) -> tuple[int, ...]:
    """Last sizes of the variables `pattern`, formatted with 8, 16, ... while they exist."""
    sizes, resolution = [], 8
    while (name := pattern.format(resolution)) in state:
        sizes.append(state[name].shape[-1])
        resolution *= 2
    return tuple(sizes)


def check_arguments(
    arguments: Mapping[str, Any], allowed: Mapping[str, tuple], *, read: Iterable[str] = ()
) -> None:
    """Raises unless a network was built as ours are.

    Args:
        arguments: That it was built with, by name.
        allowed: Name -> values under which it is the network that we have.
        read: Names that the caller reads itself.

    Raises:
        WeightsError: With the first argument that is unknown or of another value.
    """
    free = SHOWN | PASSING | set(read)
    for name, value in arguments.items():
        value = tuple(value) if isinstance(value, list) else value
        value = value.item() if isinstance(value, np.number) else value
        if name not in free and name not in allowed:
            raise WeightsError(
                f"it was built with {name}={shown(value)}, which is not known; refused"
            )
        if name in allowed and value not in allowed[name]:
            choices = " or ".join(map(repr, allowed[name]))
            raise WeightsError(f"it was built with {name}={shown(value)}; supported is {choices}")


def number(arguments: Mapping[str, Any], name: str) -> float | None:
    """An argument that is a number or None, and None where it is absent.

    Raises:
        WeightsError: If it is anything else.
    """
    value = arguments.get(name)
    value = value.item() if isinstance(value, np.number) else value
    if value is not None and type(value) not in (int, float):
        raise WeightsError(f"{name} is {shown(value)}; required is a number")
    return value


def growth(state: State) -> float:
    """Levels that a network still has to grow, from its variable `lod`; 0 without one.

    The uppermost counts: the original copies it into the synthesis network before each run.
    """
    lod = state.get("lod", state.get("synthesis/lod"))
    return 0.0 if lod is None else float(lod)


# StyleGAN2.


def finished(state: State) -> State:
    """The state without heads of coarser resolutions, as configurations B to D keep them.

    Raises:
        WeightsError: If the network shows one of these, for it has not grown to its end.
    """
    if "synthesis/ToRGB_lod0/weight" not in state:
        return state
    if (lod := growth(state)) != 0:
        raise WeightsError(f"it has {lod:g} levels still to grow; convert a finished network")
    resolution = 4 << count(state, r"synthesis/\d+x\d+/Conv0_up/weight")
    colours = re.compile(r"synthesis/ToRGB_lod(\d+)/")
    last = f"synthesis/{resolution}x{resolution}/ToRGB/"
    found = {name: (colours.match(name), value) for name, value in state.items()}
    return {
        colours.sub(last, name): value
        for name, (coarse, value) in found.items()
        if coarse is None or coarse[1] == "0"
    }


def _refuse_old_labels(arguments: Mapping[str, Any], state: State, name: str) -> None:
    if arguments.get("label_size") and name not in state:
        raise WeightsError(
            "its labels are those of StyleGAN2 of 2019, which no later network has; convert a "
            "network without labels, or of stylegan2-ada"
        )


def _architecture(state: State, first: str, skip: str) -> Architecture:
    if first in state:
        return "skip"
    return "resnet" if count(state, skip) else "orig"


def generator(state: State, *, arguments: Mapping[str, Any]) -> Generator:
    """Architecture of a generator, from its names and shapes.

    Args:
        state: Its variables, `finished`.
        arguments: That it was built with.

    Raises:
        WeightsError: If there is no generator, or one of another architecture.
    """
    check_arguments(arguments, GENERATOR_ARGUMENTS, read=("conv_clamp",))
    _refuse_old_labels(arguments, state, "mapping/LabelEmbed/weight")
    first = state["synthesis/4x4/Const/const"].shape[1]
    channels = (first, *widths(state, "synthesis/{0}x{0}/Conv1/weight"))
    depth, resolution = count(state, r"mapping/Dense\d+/weight"), 2 << len(channels)
    hidden, w_dim = state[f"mapping/Dense{depth - 1}/weight"].shape
    embed = state.get("mapping/LabelEmbed/weight")
    c_dim, embed_dim = (0, 0) if embed is None else embed.shape
    return Generator(
        channels=channels,
        z_dim=state["mapping/Dense0/weight"].shape[0] - embed_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        image_channels=state[f"synthesis/{resolution}x{resolution}/ToRGB/weight"].shape[-1],
        architecture=_architecture(
            state, "synthesis/4x4/ToRGB/weight", r"synthesis/\d+x\d+/Skip/weight"
        ),
        mapping_layers=depth,
        mapping_features=None if depth == 1 else hidden,
        embed_features=embed_dim or None,
        use_noise="synthesis/4x4/Conv/noise_strength" in state,
        conv_clamp=number(arguments, "conv_clamp"),
    )


def _layer(layer: Layer, use_noise: bool) -> list[Entry]:
    first = layer.resolution == 4
    part = {"conv0": "Conv0_up", "conv1": "Conv" if first else "Conv1", "torgb": "ToRGB"}
    key = f"synthesis/{layer.resolution}x{layer.resolution}/{part[layer.part]}"
    path = f"synthesis/{layer.block}/{layer.part}"
    entries = [
        Entry(
            f"{key}/weight", f"params/{path}/kernel", REVERSED if layer.part == "conv0" else SAME
        ),
        Entry(f"{key}/bias", f"params/{path}/bias", SAME),
        Entry(f"{key}/mod_weight", f"params/{path}/affine/kernel", SAME),
        Entry(f"{key}/mod_bias", f"params/{path}/affine/bias", PLUS_ONE),
    ]
    if use_noise and layer.kind == "conv":
        entries += [
            Entry(f"{key}/noise_strength", f"params/{path}/noise_strength", SAME),
            Entry(f"synthesis/noise{layer.row}", f"buffers/{path}/noise_const", NOISE),
        ]
    return entries


def generator_entries(module: Generator) -> list[Entry]:
    """Every variable of a generator but `lod`."""
    entries = [
        Entry("dlatent_avg", "buffers/mapping/w_avg", SAME),
        Entry("synthesis/4x4/Const/const", "params/synthesis/b4/const", BATCHED_CONST),
    ]
    if module.c_dim:
        entries += weight_and_bias("mapping/LabelEmbed", "mapping/embed", SAME, separator="/")
    for index in range(module.mapping_layers):
        key, path = f"mapping/Dense{index}", f"mapping/dense{index}"
        entries += weight_and_bias(key, path, SAME, separator="/")
    for layer in module.layers:
        entries += _layer(layer, module.use_noise)
    if module.architecture == "resnet":
        for block in resolutions(module.resolution)[1:]:
            path = f"params/synthesis/b{block}/skip/kernel"
            entries.append(Entry(f"synthesis/{block}x{block}/Skip/weight", path, REVERSED))
    return entries


def discriminator(
    state: State, *, arguments: Mapping[str, Any], group_size: int | None
) -> Discriminator:
    """Architecture of a discriminator, from its names and shapes.

    Args:
        state: Its variables.
        arguments: That it was built with.
        group_size: Group of the minibatch statistic where the arguments do not tell; None for the
            whole batch.

    Raises:
        WeightsError: If there is no discriminator, or one of another architecture.
    """
    read = ("conv_clamp", "mbstd_group_size", "mapping_lrmul")
    check_arguments(arguments, DISCRIMINATOR_ARGUMENTS, read=read)
    _refuse_old_labels(arguments, state, "LabelEmbed/weight")
    embed, depth = state.get("LabelEmbed/weight"), count(state, r"Mapping\d+/weight")
    rate = number({"mapping_lrmul": 0.1, **arguments}, "mapping_lrmul")
    if depth and rate != LABEL_RATE:
        raise WeightsError(f"it was built with mapping_lrmul={rate}; supported is {LABEL_RATE}")
    first = state["4x4/Conv/weight"].shape[-1]
    channels = (first, *widths(state, "{0}x{0}/Conv0/weight"))
    resolution = 2 << len(channels)
    if "mbstd_group_size" in arguments:
        group_size = number(arguments, "mbstd_group_size")  # pyright: ignore
    return Discriminator(
        channels=channels,
        c_dim=0 if embed is None else embed.shape[0],
        image_channels=state[f"{resolution}x{resolution}/FromRGB/weight"].shape[2],
        architecture=_architecture(state, "4x4/FromRGB/weight", r"\d+x\d+/Skip/weight"),
        cmap_dim=None if embed is None else state["Output/weight"].shape[1],
        mapping_layers=8 if embed is None else depth,
        mapping_features=state["Mapping0/weight"].shape[1] if depth > 1 else None,
        embed_features=None if embed is None else embed.shape[1],
        group_size=group_size,
        num_std_channels=state["4x4/Conv/weight"].shape[2] - first,
        conv_clamp=number(arguments, "conv_clamp"),
    )


def discriminator_entries(module: Discriminator) -> list[Entry]:
    """Every variable of a discriminator."""
    parts = []  # Key, path and layout.
    for block in reversed(resolutions(module.resolution)):
        key = f"{block}x{block}"
        if block == module.resolution or module.architecture == "skip":
            parts.append((f"{key}/FromRGB", f"b{block}_fromrgb/conv", SAME))
        if block > 4:
            parts.append((f"{key}/Conv0", f"b{block}/conv0", SAME))
            parts.append((f"{key}/Conv1_down", f"b{block}/conv1", SAME))
    parts.append(("4x4/Conv", "b4/conv", SAME))
    parts.append(("4x4/Dense0", "b4/dense", transposed(flattened_dense(4, 4))))
    parts.append(("Output", "b4/out", SAME))
    if module.c_dim:
        parts.append(("LabelEmbed", "mapping/embed", SAME))
        for index in range(module.mapping_layers):
            parts.append((f"Mapping{index}", f"mapping/dense{index}", SAME))
    entries = [e for part in parts for e in weight_and_bias(*part, separator="/")]
    if module.architecture == "resnet":
        for block in resolutions(module.resolution)[1:]:
            path = f"params/b{block}/skip/kernel"
            entries.append(Entry(f"{block}x{block}/Skip/weight", path, SAME))
    return entries
