"""ResNet-50 of MoCo v2: moco_v2_800ep_pretrain.pth.tar.

The file holds the network twice, as `encoder_q` and, averaged, as `encoder_k`, and a queue; pSp and
SFE read `encoder_q` without its last layers.

Source: facebookresearch/moco main_moco.py and moco/builder.py; torchvision models/resnet.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from convert_weights.layouts import CONV, Entry, State, batch_norm
from sfe_jax.core.errors import WeightsError
from sfe_jax.perceptual.resnet import MocoResNet

PREFIX = "module.encoder_q."
"""Before the keys of the network; the rest of the file is not read."""

LAST_LAYERS = re.compile(r"fc\..*")
"""The projection that MoCo trains with."""


def trunk_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict of the ResNet in the state dict of a MoCo file."""
    state = {k.removeprefix(PREFIX): v for k, v in content.items() if k.startswith(PREFIX)}
    return {key: value for key, value in state.items() if not LAST_LAYERS.fullmatch(key)}


def resnet(state: State) -> MocoResNet:
    """Architecture of a ResNet with bottlenecks, from its shapes.

    Raises:
        WeightsError: If its units are no bottlenecks.
    """
    if "layer1.0.conv3.weight" not in state:
        raise WeightsError("layer1.0.conv3.weight is missing; required is a ResNet-50")
    stages = range(1, 5)
    pattern = r"layer{}\.\d+\.conv1\.weight"
    depths = [sum(bool(re.fullmatch(pattern.format(s), key)) for key in state) for s in stages]
    widths = [state[f"layer{stage}.0.conv1.weight"].shape[0] for stage in stages]
    return MocoResNet(depths=tuple(depths), widths=tuple(widths))


def _unit_entries(key: str, path: str, project: bool) -> list[Entry]:
    entries = []
    for index in (1, 2, 3):
        entries.append(
            Entry(f"{key}.conv{index}.weight", f"params/{path}/conv{index}/kernel", CONV)
        )
        entries += batch_norm(f"{key}.bn{index}", f"{path}/norm{index}")
    if project:
        shortcut = f"params/{path}/shortcut_conv/kernel"
        entries.append(Entry(f"{key}.downsample.0.weight", shortcut, CONV))
        entries += batch_norm(f"{key}.downsample.1", f"{path}/shortcut_norm")
    return entries


def resnet_entries(module: MocoResNet) -> list[Entry]:
    """Every array of MoCo's ResNet."""
    entries = [Entry("conv1.weight", "params/conv/kernel", CONV), *batch_norm("bn1", "norm")]
    for stage, depth in enumerate(module.depths):
        for index in range(depth):
            key, path = f"layer{stage + 1}.{index}", f"stage{stage}_unit{index}"
            entries += _unit_entries(key, path, project=index == 0)
    return entries
