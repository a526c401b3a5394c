"""StyleGAN's generator as NVIDIA's TensorFlow code writes it.

Arrays lie as ours do, but for unit axes of constants and noise. Upsampling convolutions come in two
forms: on the doubled map, as ours, and fused with the doubling, by which the kernel is reversed.
The original uses the fused form from 128x128 on unless told otherwise.

Source: NVlabs/stylegan training/networks_stylegan.py.
"""

from collections.abc import Mapping
from typing import Any

from convert_weights.layouts import (
    BATCHED_CONST,
    NOISE,
    REVERSED,
    SAME,
    Entry,
    State,
    weight_and_bias,
)
from convert_weights.name_maps.tensorflow import check_arguments, count, growth, widths
from sfe_jax.core.errors import WeightsError
from sfe_jax.models.layer_table import Layer, resolutions
from sfe_jax.models.stylegan1 import Generator

FUSED_FROM = 128
"""Resolution from which "auto" fuses upsampling with the convolution."""

ARGUMENTS = {
    "mapping_lrmul": (0.01,),
    "mapping_nonlinearity": ("lrelu",),
    "nonlinearity": ("lrelu",),
    "normalize_latents": (True,),
    "use_wscale": (True,),
    "use_styles": (True,),
    "const_input_layer": (True,),
    "use_pixel_norm": (False,),
    "use_instance_norm": (True,),
    "blur_filter": ((1, 2, 1),),
    "fused_scale": ("auto", True, False),
}
"""Arguments that make it another network, with the values that ours has."""


def first_fused(arguments: Mapping[str, Any]) -> float:
    """Resolution from which the kernels of upsampling convolutions are stored reversed."""
    fused = arguments.get("fused_scale", "auto")
    if fused == "auto":
        return FUSED_FROM
    return 0 if fused else float("inf")


def generator(state: State, *, arguments: Mapping[str, Any]) -> Generator:
    """Architecture of a generator, from its names and shapes.

    Args:
        state: Its variables.
        arguments: That it was built with.

    Raises:
        WeightsError: If there is no generator, or one of another architecture.
    """
    check_arguments(arguments, ARGUMENTS)
    first = state["synthesis/4x4/Const/const"].shape[1]
    channels = (first, *widths(state, "synthesis/{0}x{0}/Conv1/weight"))
    depth = count(state, r"mapping/Dense\d+/weight")
    hidden, w_dim = state[f"mapping/Dense{depth - 1}/weight"].shape
    label = state.get("mapping/LabelConcat/weight")
    c_dim, label_dim = (0, 0) if label is None else label.shape
    lod = growth(state)
    if not 0 <= lod < len(channels):
        raise WeightsError(f"lod is {lod}; required is 0 to {len(channels) - 1}")
    return Generator(
        channels=channels,
        z_dim=state["mapping/Dense0/weight"].shape[0] - label_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        image_channels=state["synthesis/ToRGB_lod0/weight"].shape[-1],
        mapping_layers=depth,
        mapping_features=None if depth == 1 else hidden,
        use_noise="synthesis/4x4/Conv/Noise/weight" in state,
        lod=lod,
    )


def _key(layer: Layer) -> str:
    first = layer.resolution == 4
    part = {"const": "Const", "conv0": "Conv0_up", "conv1": "Conv" if first else "Conv1"}
    return f"synthesis/{layer.resolution}x{layer.resolution}/{part[layer.part]}"


def _layer(layer: Layer, use_noise: bool, fused: float) -> list[Entry]:
    key, path = _key(layer), f"synthesis/{layer.block}/{layer.part}"
    entries = [
        Entry(f"{key}/bias", f"params/{path}/bias", SAME),
        *weight_and_bias(f"{key}/StyleMod", f"{path}/affine", SAME, separator="/"),
    ]
    if layer.part == "const":
        entries.append(Entry(f"{key}/const", f"params/{path}/const", BATCHED_CONST))
    else:
        turned = layer.part == "conv0" and layer.resolution >= fused
        layout = REVERSED if turned else SAME
        entries.append(Entry(f"{key}/weight", f"params/{path}/kernel", layout))
    if use_noise:
        entries.append(Entry(f"{key}/Noise/weight", f"params/{path}/noise_strength", SAME))
        noise = f"synthesis/noise{layer.row}"
        entries.append(Entry(noise, f"buffers/{path}/noise_const", NOISE))
    return entries


def generator_entries(module: Generator, *, fused: float = FUSED_FROM) -> list[Entry]:
    """Every variable of a generator but `lod`.

    Args:
        module: The generator.
        fused: Resolution from which kernels are stored reversed, as `first_fused` tells.
    """
    entries = [Entry("dlatent_avg", "buffers/mapping/w_avg", SAME)]
    if module.c_dim:
        label = "mapping/LabelConcat/weight"
        entries.append(Entry(label, "params/mapping/label/kernel", SAME))
    for index in range(module.mapping_layers):
        key, path = f"mapping/Dense{index}", f"mapping/dense{index}"
        entries += weight_and_bias(key, path, SAME, separator="/")
    for layer in module.layers:
        entries += _layer(layer, module.use_noise, fused)
    for lod, block in enumerate(reversed(resolutions(module.resolution))):
        key, path = f"synthesis/ToRGB_lod{lod}", f"synthesis/b{block}/torgb"
        entries += weight_and_bias(key, path, SAME, separator="/")
    return entries
