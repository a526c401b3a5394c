"""P-Net, R-Net and O-Net of MTCNN: pnet.npy, rnet.npy and onet.npy, a dict each.

Source: pixel2style2pixel models/mtcnn/mtcnn_pytorch/src/get_nets.py.
"""

import numpy as np

from convert_weights.layouts import CONV, DENSE, SAME, Entry, Layout, State, weight_and_bias
from sfe_jax.core.errors import WeightsError
from sfe_jax.perceptual.mtcnn import ONet, PNet, RNet

FaceNetwork = PNet | RNet | ONet
"""One of the three networks."""

ROLES = {PNet: "mtcnn_pnet", RNet: "mtcnn_rnet", ONet: "mtcnn_onet"}
"""Role of each network in a bundle."""

CONVOLUTIONS = {PNet: 3, RNet: 3, ONet: 4}
"""Convolutions before the heads of each network."""


def swapped_dense(side: int) -> Layout:
    """Dense layer whose inputs are a flattened [C, width, height] map, both sides `side`."""

    def to_ours(x: np.ndarray) -> np.ndarray:
        maps = x.reshape(x.shape[0], -1, side, side)  # [out, C, W, H]
        return maps.transpose(3, 2, 1, 0).reshape(-1, x.shape[0])

    def to_official(x: np.ndarray) -> np.ndarray:
        maps = x.reshape(side, side, -1, x.shape[1])  # [H, W, C, out]
        return maps.transpose(3, 2, 1, 0).reshape(x.shape[1], -1)

    return Layout(to_ours, to_official)


def mtcnn(state: State) -> FaceNetwork:
    """Which of the three networks a state dict is.

    Raises:
        WeightsError: If it has the heads of none.
    """
    for head, network in (("conv4_1", PNet), ("conv5_1", RNet), ("conv6_1", ONet)):
        if f"{head}.weight" in state:
            return network()
    raise WeightsError(
        "conv4_1.weight, conv5_1.weight and conv6_1.weight are missing; give one of "
        "pnet.npy, rnet.npy and onet.npy"
    )


def _layer_entries(number: int, layout: Layout, path: str, slope: str) -> list[Entry]:
    """A numbered layer and its PReLU."""
    return [
        *weight_and_bias(f"features.conv{number}", path, layout),
        Entry(f"features.prelu{number}.weight", f"params/{slope}/slope", SAME),
    ]


def mtcnn_entries(module: FaceNetwork) -> list[Entry]:
    """Every array of one of the three networks."""
    count, entries = CONVOLUTIONS[type(module)], []
    for number in range(1, count + 1):
        entries += _layer_entries(number, CONV, f"conv{number}", f"prelu{number}")
    heads = ["logits", "offsets", "points"][: 3 if isinstance(module, ONet) else 2]
    if isinstance(module, PNet):
        for index, head in enumerate(heads, start=1):
            entries += weight_and_bias(f"conv{count + 1}_{index}", head, CONV)
        return entries
    entries += _layer_entries(count + 1, swapped_dense(3), "dense/linear", "dense_prelu")
    for index, head in enumerate(heads, start=1):
        entries += weight_and_bias(f"conv{count + 2}_{index}", f"{head}/linear", DENSE)
    return entries
