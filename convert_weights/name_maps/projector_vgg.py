"""VGG-16 of the StyleGAN2 projector: vgg16.pt, a TorchScript archive, whose code is not read.

What the original calls its LPIPS vector is LPIPS over VGG-16 of version 0.1, cast so that squared
lengths of differences are distances: torch-fidelity finds both equal to 1e-5. So the file gives the
network `lpips_vgg`. Its dense layers, of which precision and recall are made, are left.

Source: names of the archive as in discoscene models/perceptual_model.py, equality as in
torch-fidelity tests/tf1/lpips/test_lpips.py.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convert_weights.layouts import CONV, Entry, Layout, weight_and_bias
from convert_weights.name_maps.lpips import CONVOLUTIONS
from sfe_jax.perceptual.lpips import TRUNKS, Lpips
from sfe_jax.readers import Record

IGNORED = (r"layers\.fc\d\..*",)
"""The dense layers."""

HEAD = Layout(lambda x: x[:, 0, 0], lambda x: x[:, None, None])
"""Weights of a map's channels, [C, 1, 1]."""


def _is_script(content: Any) -> bool:
    """Whether `content` is a module of a TorchScript archive."""
    of_script = isinstance(content, Record) and content.module.split(".")[0] == "__torch__"
    return of_script and isinstance(content.state, Mapping)


def is_projector_vgg(content: Any) -> bool:
    """Whether `content` is the module of vgg16.pt."""
    return (
        _is_script(content)
        and "lpips0" in content.state
        and _is_script(content.state.get("layers"))
    )


def tensors_of(script: Record, prefix: str = "") -> dict[str, np.ndarray]:
    """Arrays of a TorchScript module and the modules inside it, by dotted name."""
    found: dict[str, np.ndarray] = {}
    attributes: Any = script.state
    for name, value in attributes.items():
        if isinstance(value, np.ndarray):
            found[prefix + name] = value
        elif _is_script(value):
            found |= tensors_of(value, f"{prefix}{name}.")
    return found


def projector_vgg(state: Mapping[str, np.ndarray]) -> Lpips:
    """The architecture; there is one."""
    del state
    return Lpips("vgg")


def projector_vgg_entries(module: Lpips) -> list[Entry]:
    """Every array of the archive that LPIPS needs; its convolutions are numbered from 1."""
    entries = []
    for number, path in enumerate(CONVOLUTIONS[module.trunk].values(), start=1):
        entries += weight_and_bias(f"layers.conv{number}", f"network/{path}", CONV)
    heads = range(len(TRUNKS[module.trunk].channels))
    return entries + [Entry(f"lpips{i}", f"params/heads/head{i}/scale", HEAD) for i in heads]
