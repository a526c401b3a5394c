"""StyleGAN2's residual discriminator in plain PyTorch: FIR filters, strided convolutions.

Source: StyleGAN2 (arXiv:1912.04958), figure 7; ProGAN (arXiv:1710.10196), section 3.
"""

# pyright: reportMissingImports=false

import math

import torch
import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor, nn

from benchmarks.torch_reference.operations import minibatch_std, upfirdn2d
from benchmarks.torch_reference.stylegan2 import EqualLinear, binomial_filter


class EqualConv(nn.Module):
    """Convolution with an equalised learning rate, perhaps to half the resolution."""

    def __init__(
        self, inputs: int, outputs: int, *, size: int = 3, down: bool = False, activate: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.empty(outputs)) if activate else None
        self.down = down

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Applies the layer to x [N, I, H, W]; `gain` multiplies the result."""
        size = self.weight.shape[-1]
        weight = self.weight * (1 / math.sqrt(self.weight[0].numel()))
        if not self.down:
            y = F.conv2d(x, weight, padding=size // 2)
        else:
            f = [binomial_filter(x.device, x.dtype)[None, None]]
            if size == 1:
                y = F.conv2d(upfirdn2d(x, f, down=2, padding=(1, 1, 1, 1)), weight)
            else:
                y = F.conv2d(upfirdn2d(x, f, padding=(2, 2, 2, 2)), weight, stride=2)
        if self.bias is not None:
            y = F.leaky_relu(y + self.bias[:, None, None], 0.2) * math.sqrt(2)
        return y * gain


class Block(nn.Module):
    """Two convolutions and a shortcut, to half the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = EqualConv(inputs, inputs)
        self.conv1 = EqualConv(inputs, outputs, down=True)
        self.skip = EqualConv(inputs, outputs, size=1, down=True, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block to x [N, I, H, W]."""
        half = math.sqrt(0.5)
        return self.conv1(self.conv0(x), half) + self.skip(x, half)


class Epilogue(nn.Module):
    """Minibatch statistic, a convolution, two dense layers, at 4x4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = EqualConv(channels + 1, channels)
        self.dense = EqualLinear(16 * channels, channels, activate=True)
        self.out = EqualLinear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, 1] of x [N, C, 4, 4]."""
        x = self.conv(minibatch_std(x, group=min(4, len(x))))
        return self.out(self.dense(x.permute(0, 2, 3, 1).flatten(1)))  # Our order of numbers.


class Discriminator(nn.Module):
    """From pictures [N, 3, R, R] to logits [N, 1], without labels."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        resolution = 2 << len(channels)
        colours = nn.Module()
        colours.conv = EqualConv(3, channels[-1], size=1)
        self.add_module(f"b{resolution}_fromrgb", colours)
        for index in range(len(channels) - 1, 0, -1):
            self.add_module(f"b{4 << index}", Block(channels[index], channels[index - 1]))
        self.add_module("b4", Epilogue(channels[0]))

    def forward(self, images: Tensor) -> Tensor:
        """Judges pictures."""
        colours, *blocks = self.children()
        x = colours.conv(images)
        for block in blocks:
            x = block(x)
        return x
