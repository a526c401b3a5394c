"""Names of the layers of a generator: what stands at which resolution, on which row of W+.

Every other file speaks of layers by these names, such as `b64.conv1`, so that no index is magic.
SFE's feature, entry 9 of the reference's list, is `b64.conv1`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sfe_jax.core.errors import ShapeError

Architecture = Literal["skip", "resnet", "orig"]
"""How images leave a generator or enter a discriminator; StyleGAN2 (arXiv:1912.04958), figure 7."""

FFHQ_CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64, 32)
"""Channels of configuration F at 4, 8, ..., 1024; StyleGAN2 (arXiv:1912.04958), table 1."""


@dataclass(frozen=True)
class Layer:
    """One modulated layer of a synthesis network."""

    name: str  # Such as "b64.conv1" or "b64.torgb".
    kind: Literal["conv", "torgb"]  # 3x3 convolution, or 1x1 to colours.
    resolution: int  # Pixels a side of its output.
    in_channels: int  # Of its style: channels of its input; StyleGAN's twice those of its output.
    channels: int  # Channels of its output.
    row: int  # Row of W+ that drives it.
    offset: int  # Where its style begins in the concatenated S.

    @property
    def block(self) -> str:
        """Name of its block, such as "b64"."""
        return self.name.partition(".")[0]

    @property
    def part(self) -> str:
        """Name within the block: "conv0", "conv1" or "torgb"."""
        return self.name.partition(".")[2]


def resolutions(resolution: int) -> tuple[int, ...]:
    """4, 8, ..., `resolution`.

    Raises:
        ShapeError: If `resolution` is not a power of two of at least 4.
    """
    if resolution < 4 or resolution & (resolution - 1):
        raise ShapeError(f"`resolution` is {resolution}; required is a power of two, at least 4")
    return tuple(1 << level for level in range(2, resolution.bit_length()))


def num_ws(resolution: int) -> int:
    """Rows of W+ of a StyleGAN2 generator: 18 at 1024."""
    return 2 * len(resolutions(resolution))


def channel_table(resolution: int, *, base: int = 32768, maximum: int = 512) -> tuple[int, ...]:
    """Channels at 4, 8, ..., `resolution`: min(base / r, maximum).

    Source: stylegan2-ada-pytorch training/networks.py (channel_base, channel_max).
    """
    return tuple(min(base // r, maximum) for r in resolutions(resolution))


def synthesis_layers(
    channels: Sequence[int], *, architecture: Architecture = "skip", image_channels: int = 3
) -> tuple[Layer, ...]:
    """The modulated layers of a StyleGAN2 synthesis network in the order they run.

    Args:
        channels: Channels at 4, 8, ..., the resolution.
        architecture: "skip" has a ToRGB in every block, the others only in the last.
        image_channels: Channels of the picture.

    Returns:
        One `Layer` each. The block at r = 2^l has rows 2l-5, 2l-4 and 2l-3 for conv0, conv1 and
        ToRGB; ToRGB shares its row with the next block's conv0.

    Source: stylegan2-ada-pytorch training/networks.py, SynthesisNetwork.forward.
    """
    layers: list[Layer] = []

    def add(block: int, part: str, in_channels: int, out_channels: int, row: int) -> None:
        kind = "torgb" if part == "torgb" else "conv"
        offset = layers[-1].offset + layers[-1].in_channels if layers else 0
        name = f"b{block}.{part}"
        layers.append(Layer(name, kind, block, in_channels, out_channels, row, offset))

    for index, width in enumerate(channels):
        block = 4 << index
        first = 2 * index - 1  # Row of conv0; the first block has none.
        if index:
            add(block, "conv0", channels[index - 1], width, first)
        add(block, "conv1", width, width, first + 1)
        if architecture == "skip" or index == len(channels) - 1:
            add(block, "torgb", width, image_channels, first + 2)
    return tuple(layers)
