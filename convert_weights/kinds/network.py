"""One network from its state dict: architecture, filters, arrays."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import numpy as np

from convert_weights.assemble import convert_state
from convert_weights.layouts import Entry, State
from convert_weights.name_maps import (
    encoders,
    lpips,
    projector_vgg,
    stylegan2,
    stylegan3,
    tensorflow,
)
from sfe_jax.core.errors import WeightsError
from sfe_jax.ops.convolution import RESAMPLE_FILTER
from sfe_jax.pipelines.bundle import Network

IGNORED = (
    *stylegan2.IGNORED,
    *stylegan3.IGNORED,
    *tensorflow.IGNORED,
    *encoders.IGNORED,
    *lpips.IGNORED,
    *projector_vgg.IGNORED,
    "__metadata__",
)
"""Patterns of keys that networks do not need; safetensors files have the last."""


def _check_filters(state: State, where: str) -> None:
    """Raises unless every resampling filter in a file is the one that our networks compute.

    Raises:
        WeightsError: If one is another; the pictures would be others too.
    """
    pattern = re.compile("|".join(stylegan2.IGNORED))
    for key in filter(pattern.fullmatch, state):
        taps = np.asarray(state[key], np.float64)
        if taps.shape != RESAMPLE_FILTER.shape or not taps.sum():
            fits = False
        else:
            fits = np.allclose(taps / taps.sum(), RESAMPLE_FILTER, atol=1e-6)
        if not fits:
            raise WeightsError(f"{where}: {key} is another filter than [1, 3, 3, 1]; not supported")


def network(
    state: State,
    build: Callable[..., nn.Module],
    entries: Callable[..., list[Entry]],
    where: str,
    *,
    w_avg: np.ndarray | None = None,
    **settings: Any,
) -> Network:
    """A network from its state dict.

    Args:
        state: Official key -> array.
        build: Reads the architecture from the state dict.
        entries: Lists the arrays of the architecture.
        where: File and network, for messages.
        w_avg: Average code that stands beside the state dict, if any.
        **settings: Of `build`, for what shapes do not show.

    Returns:
        The module and its variables.

    Raises:
        WeightsError: If the state dict is not of that network.
    """
    try:
        module = build(state, **settings)
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from error
    except KeyError as error:
        raise WeightsError(f"{where}: {error.args[0]} is missing; it tells a size") from error
    _check_filters(state, where)
    extra = {}
    if w_avg is not None:
        generator = "mapping_layers" in module.__dataclass_fields__
        extra["buffers/mapping/w_avg" if generator else "buffers/w_avg"] = w_avg
    variables = convert_state(
        state, module, entries(module), ignored=IGNORED, extra=extra, where=where
    )
    return Network(module, variables)


def below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The entries whose key begins with `prefix` and a dot, without it."""
    start = prefix + "."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
