"""Inception v3 of 2015 as pytorch-fid keeps it: pt_inception-2015-12-05-6726825d.pth.

Our modules keep the names of the file, so that a path tells its key.

Source: pytorch-fid inception.py.
"""

from convert_weights.layouts import CONV, DENSE, Entry, State, batch_norm, weight_and_bias
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten
from sfe_jax.perceptual.inception import CLASSES, FidInception
from sfe_jax.pipelines.bundle import abstract_variables

KERNEL = "/conv/kernel"
"""End of the path of a unit's convolution."""


def inception(state: State) -> FidInception:
    """Architecture of FID's Inception, from its shapes.

    Raises:
        WeightsError: If the state dict is torchvision's, whose scores are others.
    """
    classes, narrowing = len(state["fc.bias"]), 32 // len(state["Conv2d_1a_3x3.bn.bias"])
    if classes != CLASSES // narrowing:
        raise WeightsError(
            f"an Inception of {classes} classes, required are {CLASSES}: torchvision's gives other "
            "scores; get pytorch-fid's pt_inception-2015-12-05-6726825d.pth"
        )
    return FidInception(narrowing)


def inception_entries(module: FidInception) -> list[Entry]:
    """Every array of FID's Inception."""
    entries = weight_and_bias("fc", "fc", DENSE)
    for path in flatten(abstract_variables(module)):
        if path.endswith(KERNEL):
            unit = path.removeprefix("params/").removesuffix(KERNEL)
            key = unit.replace("/", ".")
            entries.append(Entry(f"{key}.conv.weight", path, CONV))
            entries += batch_norm(f"{key}.bn", f"{unit}/norm")
    return entries
