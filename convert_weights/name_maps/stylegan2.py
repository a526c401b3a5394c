"""StyleGAN2 as stylegan2-ada-pytorch and rosinality's stylegan2-pytorch write it.

The two agree on every orientation; only names and unit axes differ. Filters of the resampling are
constants and are recomputed, so their entries are ignored.

Source: NVlabs/stylegan2-ada-pytorch training/networks.py; rosinality/stylegan2-pytorch model.py,
convert_weight.py.
"""

import re

from convert_weights.layouts import (
    BATCHED_CONST,
    BATCHED_CONV,
    CONST,
    CONV,
    DENSE,
    IMAGE_BIAS,
    NOISE,
    ONE_ELEMENT,
    SAME,
    Entry,
    State,
    flattened_dense,
    prefixed,
    weight_and_bias,
)
from sfe_jax.core.errors import WeightsError
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.layer_table import Architecture, Layer, resolutions
from sfe_jax.models.stylegan2 import Generator

IGNORED = (r".*resample_filter", r".*(blur|upsample)\.kernel", r".*\.\d+\.kernel")
"""Constants that official files carry and we compute: resampling filters."""


def _count(state: State, pattern: str) -> int:
    """How many keys match `pattern` in full."""
    return sum(bool(re.fullmatch(pattern, key)) for key in state)


def _channels(state: State, pattern: str, axis: int) -> tuple[int, ...]:
    """Sizes along `axis` of the keys `pattern`, formatted with 4, 8, ... while they exist."""
    sizes, resolution = [], 4
    while (key := pattern.format(resolution)) in state:
        sizes.append(state[key].shape[axis])
        resolution *= 2
    return tuple(sizes)


# stylegan2-ada-pytorch.


def _ada_architecture(state: State, *, first_torgb: str, skip: str) -> Architecture:
    if first_torgb in state:
        return "skip"
    return "resnet" if any(re.fullmatch(skip, key) for key in state) else "orig"


def ada_generator(state: State, *, conv_clamp: float | None = None) -> Generator:
    """Architecture of a stylegan2-ada-pytorch generator, from its shapes.

    Args:
        state: Its state dict.
        conv_clamp: Bound of every layer's outputs, which shapes do not show.

    Raises:
        WeightsError: If the state dict has no generator.
    """
    if "synthesis.b4.const" not in state or "mapping.fc0.weight" not in state:
        raise WeightsError(
            "no stylegan2-ada generator: synthesis.b4.const or mapping.fc0 is missing"
        )
    depth = _count(state, r"mapping\.fc\d+\.weight")
    w_dim, hidden = state[f"mapping.fc{depth - 1}.weight"].shape
    embed = state.get("mapping.embed.weight")
    embed_dim, c_dim = (0, 0) if embed is None else embed.shape
    channels = (state["synthesis.b4.const"].shape[0],)
    channels += _channels(state, "synthesis.b{}.conv1.weight", 0)[1:]
    last = f"synthesis.b{2 << len(channels)}.torgb.weight"
    return Generator(
        channels=channels,
        z_dim=state["mapping.fc0.weight"].shape[1] - embed_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        image_channels=state[last].shape[0],
        architecture=_ada_architecture(
            state, first_torgb="synthesis.b4.torgb.weight", skip=r"synthesis\.b\d+\.skip\.weight"
        ),
        mapping_layers=depth,
        mapping_features=None if depth == 1 else hidden,
        embed_features=embed_dim or None,
        use_noise="synthesis.b4.conv1.noise_strength" in state,
        conv_clamp=conv_clamp,
    )


def _ada_mapping(depth: int, labelled: bool) -> list[Entry]:
    entries = weight_and_bias("embed", "embed", DENSE) if labelled else []
    for index in range(depth):
        entries += weight_and_bias(f"fc{index}", f"dense{index}", DENSE)
    return entries


def _ada_layer(layer: Layer, use_noise: bool) -> list[Entry]:
    entries = [
        Entry("weight", "params/kernel", CONV),
        Entry("bias", "params/bias", SAME),
        *weight_and_bias("affine", "affine", DENSE),
    ]
    if use_noise and layer.kind == "conv":
        entries.append(Entry("noise_strength", "params/noise_strength", SAME))
        entries.append(Entry("noise_const", "buffers/noise_const", SAME))
    return prefixed(entries, f"synthesis.{layer.name}.", f"synthesis/{layer.block}/{layer.part}")


def ada_generator_entries(module: Generator) -> list[Entry]:
    """Every array of a stylegan2-ada-pytorch generator."""
    entries = _ada_mapping(module.mapping_layers, bool(module.c_dim))
    entries = prefixed(entries, "mapping.", "mapping")
    entries.append(Entry("mapping.w_avg", "buffers/mapping/w_avg", SAME))
    entries.append(Entry("synthesis.b4.const", "params/synthesis/b4/const", CONST))
    for layer in module.layers:
        entries += _ada_layer(layer, module.use_noise)
    if module.architecture == "resnet":
        for block in resolutions(module.resolution)[1:]:
            path = f"params/synthesis/b{block}/skip/kernel"
            entries.append(Entry(f"synthesis.b{block}.skip.weight", path, CONV))
    return entries


def ada_discriminator(
    state: State, *, conv_clamp: float | None = None, group_size: int | None = 4
) -> Discriminator:
    """Architecture of a stylegan2-ada-pytorch discriminator, from its shapes.

    Args:
        state: Its state dict.
        conv_clamp: Bound of every convolution's outputs, which shapes do not show.
        group_size: Group of the minibatch statistic, likewise; 4 is the published default.

    Raises:
        WeightsError: If the state dict has no discriminator.
    """
    if "b4.out.weight" not in state or "b8.conv0.weight" not in state:
        raise WeightsError("no stylegan2-ada discriminator: b4.out or b8.conv0 is missing")
    first = state["b4.fc.weight"].shape[0]
    finer, resolution = [], 8
    while (key := f"b{resolution}.conv0.weight") in state:
        finer.append(state[key].shape[0])
        resolution *= 2
    embed = state.get("mapping.embed.weight")
    depth = _count(state, r"mapping\.fc\d+\.weight")
    return Discriminator(
        channels=(first, *finer),
        c_dim=0 if embed is None else embed.shape[1],
        image_channels=state[f"b{resolution // 2}.fromrgb.weight"].shape[1],
        architecture=_ada_architecture(
            state, first_torgb="b4.fromrgb.weight", skip=r"b\d+\.skip\.weight"
        ),
        cmap_dim=None if embed is None else state["b4.out.weight"].shape[0],
        mapping_layers=8 if embed is None else depth,
        mapping_features=state["mapping.fc0.weight"].shape[0] if depth > 1 else None,
        embed_features=None if embed is None else embed.shape[0],
        group_size=group_size,
        num_std_channels=state["b4.conv.weight"].shape[1] - first,
        conv_clamp=conv_clamp,
    )


def ada_discriminator_entries(module: Discriminator) -> list[Entry]:
    """Every array of a stylegan2-ada-pytorch discriminator."""
    entries = []
    for block in reversed(resolutions(module.resolution)):
        if block == module.resolution or module.architecture == "skip":
            entries += weight_and_bias(f"b{block}.fromrgb", f"b{block}_fromrgb/conv", CONV)
        if block == 4:
            break
        entries += weight_and_bias(f"b{block}.conv0", f"b{block}/conv0", CONV)
        entries += weight_and_bias(f"b{block}.conv1", f"b{block}/conv1", CONV)
        if module.architecture == "resnet":
            entries.append(Entry(f"b{block}.skip.weight", f"params/b{block}/skip/kernel", CONV))
    entries += weight_and_bias("b4.conv", "b4/conv", CONV)
    entries += weight_and_bias("b4.fc", "b4/dense", flattened_dense(4, 4))
    entries += weight_and_bias("b4.out", "b4/out", DENSE)
    if module.c_dim:
        entries += prefixed(_ada_mapping(module.mapping_layers, True), "mapping.", "mapping")
    return entries


# rosinality stylegan2-pytorch.


def rosinality_generator(state: State) -> Generator:
    """Architecture of a rosinality generator, from its shapes.

    Raises:
        WeightsError: If the state dict has no generator.
    """
    if "input.input" not in state or "style.1.weight" not in state:
        raise WeightsError("no rosinality generator: input.input or style.1.weight is missing")
    depth = _count(state, r"style\.\d+\.weight")
    odd = range(1, _count(state, r"convs\.\d+\.conv\.weight"), 2)
    widths = [state[f"convs.{index}.conv.weight"].shape[1] for index in odd]
    return Generator(
        channels=(state["input.input"].shape[1], *widths),
        z_dim=state["style.1.weight"].shape[1],
        w_dim=state[f"style.{depth}.weight"].shape[0],
        image_channels=state["to_rgb1.bias"].shape[1],
        mapping_layers=depth,
        mapping_features=state["style.1.weight"].shape[0] if depth > 1 else None,
    )


def _rosinality_conv(key: str, path: str, noise: int) -> list[Entry]:
    return [
        Entry(f"{key}.conv.weight", f"params/{path}/kernel", BATCHED_CONV),
        *weight_and_bias(f"{key}.conv.modulation", f"{path}/affine", DENSE),
        Entry(f"{key}.noise.weight", f"params/{path}/noise_strength", ONE_ELEMENT),
        Entry(f"{key}.activate.bias", f"params/{path}/bias", SAME),
        Entry(f"noises.noise_{noise}", f"buffers/{path}/noise_const", NOISE),
    ]


def _rosinality_torgb(key: str, path: str) -> list[Entry]:
    return [
        Entry(f"{key}.conv.weight", f"params/{path}/kernel", BATCHED_CONV),
        *weight_and_bias(f"{key}.conv.modulation", f"{path}/affine", DENSE),
        Entry(f"{key}.bias", f"params/{path}/bias", IMAGE_BIAS),
    ]


def rosinality_generator_entries(module: Generator) -> list[Entry]:
    """Every array of a rosinality generator; its average code stands beside the state dict."""
    entries = [Entry("input.input", "params/synthesis/b4/const", BATCHED_CONST)]
    for index in range(module.mapping_layers):
        entries += weight_and_bias(f"style.{index + 1}", f"mapping/dense{index}", DENSE)
    convs = [layer for layer in module.layers if layer.kind == "conv"]
    for index, layer in enumerate(convs):
        key = f"convs.{index - 1}" if index else "conv1"
        entries += _rosinality_conv(key, f"synthesis/{layer.block}/{layer.part}", index)
    torgbs = [layer for layer in module.layers if layer.kind == "torgb"]
    for index, layer in enumerate(torgbs):
        key = f"to_rgbs.{index - 1}" if index else "to_rgb1"
        entries += _rosinality_torgb(key, f"synthesis/{layer.block}/{layer.part}")
    return entries


def rosinality_discriminator(state: State) -> Discriminator:
    """Architecture of a rosinality discriminator, from its shapes.

    Raises:
        WeightsError: If the state dict has no discriminator.
    """
    if "final_linear.1.weight" not in state or "convs.0.0.weight" not in state:
        raise WeightsError("no rosinality discriminator: convs.0.0 or final_linear.1 is missing")
    blocks = _count(state, r"convs\.\d+\.conv1\.0\.weight")
    widths = [state[f"convs.{index}.conv1.0.weight"].shape[0] for index in range(1, blocks + 1)]
    first = state["final_conv.0.weight"].shape[0]
    return Discriminator(
        channels=(first, *reversed(widths)),
        image_channels=state["convs.0.0.weight"].shape[1],
        num_std_channels=state["final_conv.0.weight"].shape[1] - first,
    )


def rosinality_discriminator_entries(module: Discriminator) -> list[Entry]:
    """Every array of a rosinality discriminator."""
    entries = [
        Entry("convs.0.0.weight", f"params/b{module.resolution}_fromrgb/conv/kernel", CONV),
        Entry("convs.0.1.bias", f"params/b{module.resolution}_fromrgb/conv/bias", SAME),
    ]
    for index, block in enumerate(reversed(resolutions(module.resolution)[1:]), start=1):
        key, path = f"convs.{index}", f"params/b{block}"
        entries += [
            Entry(f"{key}.conv1.0.weight", f"{path}/conv0/kernel", CONV),
            Entry(f"{key}.conv1.1.bias", f"{path}/conv0/bias", SAME),
            Entry(f"{key}.conv2.1.weight", f"{path}/conv1/kernel", CONV),
            Entry(f"{key}.conv2.2.bias", f"{path}/conv1/bias", SAME),
            Entry(f"{key}.skip.1.weight", f"{path}/skip/kernel", CONV),
        ]
    entries += [
        Entry("final_conv.0.weight", "params/b4/conv/kernel", CONV),
        Entry("final_conv.1.bias", "params/b4/conv/bias", SAME),
    ]
    entries += weight_and_bias("final_linear.0", "b4/dense", flattened_dense(4, 4))
    return entries + weight_and_bias("final_linear.1", "b4/out", DENSE)
