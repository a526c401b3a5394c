"""IR and IR-SE bodies: the ArcFace residual networks on which the encoders stand.

Source: ArcFace (arXiv:1801.07698), section 3.1; encoder4editing models/encoders/helpers.py.
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
