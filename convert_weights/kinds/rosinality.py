"""StyleGAN2 as rosinality writes it, and the state dicts of its networks.

A file is {"g_ema": state, "latent_avg": [W], "g": state, "d": state}.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convert_weights.kinds.kind import Converted, Kind, is_state
from convert_weights.kinds.network import network
from convert_weights.name_maps import stylegan2


def latent_average(content: Mapping, num_ws: int) -> np.ndarray | None:
    """The file's `latent_avg`, [1 or L, W], repeated to [L, W]; None if it has none."""
    average = content.get("latent_avg")
    if average is None:
        return None
    average = average.reshape(-1, average.shape[-1])
    return np.repeat(average, num_ws, axis=0) if average.shape[0] == 1 else average


def generator_average(content: Mapping) -> np.ndarray | None:
    """The file's `latent_avg` as one code [W] where its rows agree, else [L, W]; None if absent."""
    rows = latent_average(content, 1)
    return rows[0] if rows is not None and (rows == rows[0]).all() else rows


def _convert_rosinality(content: Any, where: str) -> Converted:
    average = generator_average(content)
    networks = {}
    for name, role in (("g_ema", "generator"), ("g", "generator_training")):
        if name in content:
            networks[role] = network(
                content[name],
                stylegan2.rosinality_generator,
                stylegan2.rosinality_generator_entries,
                f"{where}: {name}",
                w_avg=average,
            )
    if "d" in content:
        networks["discriminator"] = network(
            content["d"],
            stylegan2.rosinality_discriminator,
            stylegan2.rosinality_discriminator_entries,
            f"{where}: d",
        )
    return Converted("rosinality", networks)


def _convert_rosinality_generator(content: Any, where: str) -> Converted:
    """A state dict alone; our own export has `latent_avg` among its keys."""
    state = {key: value for key, value in content.items() if key != "latent_avg"}
    return _convert_rosinality({"g_ema": state, "latent_avg": content.get("latent_avg")}, where)


def _convert_rosinality_discriminator(content: Any, where: str) -> Converted:
    return _convert_rosinality({"d": content}, where)


KINDS = (
    Kind(
        "rosinality",
        "rosinality stylegan2-pytorch: g_ema, g, d and latent_avg",
        lambda c: is_state(c, "g_ema"),
        _convert_rosinality,
    ),
    Kind(
        "rosinality-generator",
        "state dict of a rosinality generator",
        lambda c: is_state(c, "input.input", "style.1.weight"),
        _convert_rosinality_generator,
    ),
    Kind(
        "rosinality-discriminator",
        "state dict of a rosinality discriminator",
        lambda c: is_state(c, "final_linear.1.weight", "convs.0.0.weight"),
        _convert_rosinality_discriminator,
    ),
)
"""Files, then state dicts."""
