"""LPIPS: torchvision's trunks, the published linear layers, and the `lpips` package's module.

The package's module holds both, its trunk cut into slices that each end at a map that is compared;
inside a slice layers keep torchvision's numbers.

Source: PerceptualSimilarity lpips/lpips.py and lpips/pretrained_networks.py; torchvision
models/alexnet.py, vgg.py and squeezenet.py.
"""

import re

import flax.linen as nn
import numpy as np

from convert_weights.layouts import CONV, IMAGE_BIAS, Entry, State, prefixed, weight_and_bias
from sfe_jax.core.errors import WeightsError
from sfe_jax.perceptual.lpips import SCALE, SHIFT, TRUNKS, LinearHeads, Lpips

IGNORED = (r"classifier\..*", r"lins\..*", r"scaling_layer\..*")
"""What stands behind a trunk, the package's second listing of its heads, and checked constants."""

FIRE_PARTS = ("squeeze", "expand1x1", "expand3x3")
"""Convolutions of a Fire module."""

FIRES = {3: 2, 4: 3, 6: 4, 7: 5, 9: 6, 10: 7, 11: 8, 12: 9}
"""Layer of torchvision -> number of the Fire module in the paper."""

CONVOLUTIONS = {
    "alex": {"0": "conv1", "3": "conv2", "6": "conv3", "8": "conv4", "10": "conv5"},
    "vgg": {
        "0": "conv1_1",
        "2": "conv1_2",
        "5": "conv2_1",
        "7": "conv2_2",
        "10": "conv3_1",
        "12": "conv3_2",
        "14": "conv3_3",
        "17": "conv4_1",
        "19": "conv4_2",
        "21": "conv4_3",
        "24": "conv5_1",
        "26": "conv5_2",
        "28": "conv5_3",
    },
    "squeeze": {
        "0": "conv1",
        **{f"{i}.{part}": f"fire{n}/{part}" for i, n in FIRES.items() for part in FIRE_PARTS},
    },
}
"""Layer of torchvision -> our module, of each trunk."""

TAPS = {
    "alex": (1, 4, 7, 9, 11),
    "vgg": (3, 8, 15, 22, 29),
    "squeeze": (1, 4, 7, 9, 10, 11, 12),
}
"""Layers of torchvision whose output is a map that is compared."""


def trunk_name(module: nn.Module) -> str:
    """Name in `TRUNKS` of a trunk."""
    return next(name for name, kind in TRUNKS.items() if isinstance(module, kind))


def trunk(state: State) -> nn.Module:
    """Which trunk a state dict of torchvision is."""
    if "features.3.squeeze.weight" in state:
        return TRUNKS["squeeze"]()
    return TRUNKS["alex" if state["features.0.weight"].shape[2] == 11 else "vgg"]()


def trunk_entries(module: nn.Module) -> list[Entry]:
    """Every array of a trunk in torchvision's file."""
    entries = []
    for layer, path in CONVOLUTIONS[trunk_name(module)].items():
        entries += weight_and_bias(f"features.{layer}", path, CONV)
    return entries


def trunk_of_heads(module: LinearHeads) -> str:
    """Name in `TRUNKS` of the trunk whose maps are as wide as the heads.

    Raises:
        WeightsError: If there is none.
    """
    for name, kind in TRUNKS.items():
        if kind.channels == module.channels:
            return name
    raise WeightsError(
        f"linear layers of {module.channels} channels; known are those of {', '.join(TRUNKS)}"
    )


def heads(state: State) -> LinearHeads:
    """The heads of a trunk, as many and as wide as the published linear layers."""
    indices = sorted(int(m[1]) for key in state if (m := re.match(r"lin(\d+)\.", key)))
    channels = (state[f"lin{index}.model.1.weight"].shape[1] for index in indices)
    module = LinearHeads(tuple(channels))
    trunk_of_heads(module)
    return module


def heads_entries(module: LinearHeads) -> list[Entry]:
    """Every array of the published linear layers."""
    return [
        Entry(f"lin{index}.model.1.weight", f"params/head{index}/scale", IMAGE_BIAS)
        for index in range(len(module.channels))
    ]


def _check_colours(state: State) -> None:
    """Raises unless colours are standardised as ours are."""
    for name, expected in (("shift", SHIFT), ("scale", SCALE)):
        key = f"scaling_layer.{name}"
        if not np.allclose(np.ravel(state[key]), expected, atol=1e-6):
            raise WeightsError(f"{key} is {np.ravel(state[key])}, required is {expected}")


def package(state: State) -> Lpips:
    """Which LPIPS a state dict of the `lpips` package's module is."""
    _check_colours(state)
    return Lpips(trunk_of_heads(heads(state)))


def package_entries(module: Lpips) -> list[Entry]:
    """Every array of the `lpips` package's module."""
    entries = []
    for layer, path in CONVOLUTIONS[module.trunk].items():
        number = int(layer.partition(".")[0])
        part = 1 + sum(tap < number for tap in TAPS[module.trunk])
        entries += weight_and_bias(f"net.slice{part}.{layer}", f"network/{path}", CONV)
    channels = TRUNKS[module.trunk].channels
    return entries + prefixed(heads_entries(LinearHeads(channels)), path="heads")
