"""IR, IR-SE and iResNet bodies: the ArcFace residual networks on which the encoders stand.

Source: ArcFace (arXiv:1801.07698), section 3.1; encoder4editing models/encoders/helpers.py;
InsightFace's recognition/arcface_torch/backbones/iresnet.py.
"""

from typing import TypedDict

import flax.linen as nn

from sfe_jax.core.types import Array
from sfe_jax.nn.residual import ResidualUnit, Stem

DEPTHS = {50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 152: (3, 8, 36, 3)}
"""Units per stage by the name of the depth."""

WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages."""


class BodyFeatures(TypedDict):
    """Outputs of the last three stages, from fine to coarse."""

    fine: Array  # [N, H/4, W/4, 128], the reference's c1.
    middle: Array  # [N, H/8, W/8, 256], c2.
    coarse: Array  # [N, H/16, W/16, 512], c3.


def unit_plan(
    depths: tuple[int, ...], widths: tuple[int, ...], *, stem: int = 64
) -> list[tuple[int, int, bool]]:
    """(channels, stride, whether the shortcut projects) of every unit, in order.

    The first unit of a stage halves the resolution; its shortcut projects if channels change.
    """
    plan, previous = [], stem
    for depth, width in zip(depths, widths, strict=True):
        for index in range(depth):
            plan.append((width, 1 if index else 2, width != previous))
            previous = width
    return plan


class IRBody(nn.Module):
    """Stem and units, with the features that a pyramid reads."""

    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage.
    squeeze_excitation: bool = True  # IR-SE or IR.

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> BodyFeatures:
        """Reads pictures [N, H, W, C], by default 256x256 in [-1, 1]."""
        stem = self.widths[0]
        x = Stem(stem, name="stem")(images, train=train)
        ends, outputs = [sum(self.depths[: i + 1]) for i in range(len(self.depths))], []
        for index, (width, stride, project) in enumerate(
            unit_plan(self.depths, self.widths, stem=stem)
        ):
            x = ResidualUnit(
                width,
                stride=stride,
                project=project,
                middle_norm=False,
                squeeze_excitation=self.squeeze_excitation,
                name=f"unit{index}",
            )(x, train=train)
            if index + 1 in ends:
                outputs.append(x)
        return {"fine": outputs[1], "middle": outputs[2], "coarse": outputs[3]}


def iresnet_stages(
    images: Array,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    strides: tuple[int, ...],
    *,
    train: bool = False,
) -> list[Array]:
    """Stem and stages of an iResNet; the layers belong to the module that calls.

    Every stage's first unit projects its shortcut, also where channels stay.

    Args:
        images: [N, H, W, C].
        depths: Units per stage.
        widths: Channels per stage.
        strides: Of each stage's first unit.
        train: Whether to normalise by the batch.

    Returns:
        The output of every stage, [N, h, w, width].
    """
    x = Stem(widths[0], name="stem")(images, train=train)
    stages = []
    for stage, (depth, width, stride) in enumerate(zip(depths, widths, strides, strict=True)):
        for index in range(depth):
            x = ResidualUnit(
                width,
                stride=1 if index else stride,
                project=not index,
                name=f"stage{stage}_unit{index}",
            )(x, train=train)
        stages.append(x)
    return stages
