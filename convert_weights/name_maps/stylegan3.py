"""StyleGAN3 as NVIDIA's stylegan3 writes it.

Names of layers hold their number, size and channels; what they leave open stands among the
arguments that a pickle was made with. Filters are constants that we design ourselves: those in the
file are compared with ours and left.

Source: NVlabs/stylegan3 training/networks_stylegan3.py.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from convert_weights.layouts import CONV, DENSE, SAME, Entry, State, prefixed, weight_and_bias
from sfe_jax.core.errors import WeightsError
from sfe_jax.models.stylegan3 import Generator

IGNORED = (r"synthesis\.L\d+_\d+_\d+\.(up|down)_filter",)
"""Constants that official files carry and we compute: the filters of every layer."""

FILTER_TOLERANCE = 1e-6
"""Largest difference of two designs of one filter in float32."""

_LAYER = re.compile(r"synthesis\.(L(\d+)_(\d+)_(\d+))\.weight")


def _layers(state: State) -> list[tuple[str, int, int]]:
    """Name, size and channels of every layer, in the order they run."""
    found = filter(None, map(_LAYER.fullmatch, state))
    ordered = sorted(found, key=lambda match: int(match[2]))
    return [(match[1], int(match[3]), int(match[4])) for match in ordered]


SETTINGS = {
    "num_critical": "num_critical",
    "first_cutoff": "first_cutoff",
    "first_stopband": "first_stopband",
    "last_stopband_rel": "last_stopband",
    "margin_size": "margin",
    "output_scale": "output_scale",
    "conv_clamp": "conv_clamp",
}
"""Arguments of the original that its arrays do not show, and ours."""


def settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of `generator` from the arguments that a pickled network was made with.

    Args:
        arguments: By name; those of the synthesis network may stand in `synthesis_kwargs`.

    Raises:
        WeightsError: If one is no number.
    """
    nested = arguments.get("synthesis_kwargs")
    arguments = {**nested, **arguments} if isinstance(nested, Mapping) else arguments
    found = {}
    for name in SETTINGS.keys() & arguments.keys():
        value = arguments[name]
        value = value.item() if isinstance(value, np.number) else value
        if not isinstance(value, int | float) and (value is not None or name != "conv_clamp"):
            raise WeightsError(f"{name} is {value!r}; required is a number")
        found[SETTINGS[name]] = value
    return found


def _check_design(state: State, module: Generator, names: list[str]) -> None:
    """Raises unless the architecture's layers and filters are those of the file.

    Raises:
        WeightsError: If one is another; the pictures would be others too.
    """
    ours = [layer.name for layer in module.layers]
    if ours != names:
        ours, theirs = next(pair for pair in zip(ours, names, strict=True) if pair[0] != pair[1])
        raise WeightsError(
            f"layer {theirs} should be called {ours}; the sizes follow from settings that only the "
            "original pickle holds: convert that"
        )
    for layer in module.layers:
        for part, design in (("up", layer.up_filter), ("down", layer.down_filter)):
            key = f"synthesis.{layer.name}.{part}_filter"
            if design is None or key not in state:
                continue
            taps = np.asarray(state[key])
            if taps.shape != design.shape or np.abs(taps - design).max() > FILTER_TOLERANCE:
                raise WeightsError(f"{key} is another filter than the published design; refused")


def generator(
    state: State, *, conv_clamp: float | None = 256.0, output_scale: float = 0.25, **growth
) -> Generator:
    """Architecture of a stylegan3 generator, from its names and shapes.

    Args:
        state: Its state dict.
        conv_clamp: Bound of the activations, which shapes do not show.
        output_scale: Factor of the picture, likewise.
        **growth: Of `Growth` but for `resolution` and `num_layers`, likewise.

    Raises:
        WeightsError: If the state dict has no generator, or one that is built otherwise.
    """
    layers = _layers(state)
    if len(layers) < 2 or "mapping.fc0.weight" not in state:
        raise WeightsError("no stylegan3 generator: mapping.fc0 or the layers are missing")
    depth = sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", key)) for key in state)
    w_dim, hidden = state[f"mapping.fc{depth - 1}.weight"].shape
    embed = state.get("mapping.embed.weight")
    embed_dim, c_dim = (0, 0) if embed is None else embed.shape
    first = layers[0][0]
    module = Generator(
        channels=tuple(channels for _, _, channels in layers[:-1]),
        resolution=layers[-1][1],
        z_dim=state["mapping.fc0.weight"].shape[1] - embed_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        image_channels=layers[-1][2],
        kernel_size=state[f"synthesis.{first}.weight"].shape[-1],
        radial=state[f"synthesis.{first}.down_filter"].ndim == 2,
        mapping_layers=depth,
        mapping_features=None if depth == 1 else hidden,
        embed_features=embed_dim or None,
        output_scale=output_scale,
        conv_clamp=conv_clamp,
        **growth,
    )
    _check_design(state, module, [name for name, _, _ in layers])
    return module


def _mapping_entries(module: Generator) -> list[Entry]:
    entries = [Entry("w_avg", "buffers/w_avg", SAME)]
    if module.c_dim:
        entries += weight_and_bias("embed", "embed", DENSE)
    for index in range(module.mapping_layers):
        entries += weight_and_bias(f"fc{index}", f"dense{index}", DENSE)
    return prefixed(entries, "mapping.", "mapping")


def _input_entries() -> list[Entry]:
    entries = [
        Entry("weight", "params/kernel", DENSE),
        Entry("affine.weight", "params/affine_kernel", DENSE),
        Entry("affine.bias", "params/affine_bias", SAME),
    ]
    entries += [Entry(name, f"buffers/{name}", SAME) for name in ("transform", "freqs", "phases")]
    return prefixed(entries, "synthesis.input.", "synthesis/input")


def generator_entries(module: Generator) -> list[Entry]:
    """Every array of a stylegan3 generator but its filters."""
    entries = _mapping_entries(module) + _input_entries()
    for layer in module.layers:
        own = [
            *weight_and_bias("affine", "affine", DENSE),
            Entry("weight", "params/kernel", CONV),
            Entry("bias", "params/bias", SAME),
            Entry("magnitude_ema", "buffers/magnitude_ema", SAME),
        ]
        entries += prefixed(own, f"synthesis.{layer.name}.", f"synthesis/{layer.name}")
    return entries
