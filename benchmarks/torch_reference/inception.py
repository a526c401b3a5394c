"""FID's Inception v3 in plain PyTorch, up to the features.

Source: Inception v3 (arXiv:1512.00567), table 1 and figures 5 to 7; FID's pools as in the network
of 2015: averages leave padding out, and the last block takes maxima.
"""

# pyright: reportMissingImports=false

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor, nn

Size = int | tuple[int, int]
"""Height and width of a kernel, or one number for both."""

average = partial(F.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)
maximum = partial(F.max_pool2d, kernel_size=3, stride=1, padding=1)
halving = partial(F.max_pool2d, kernel_size=3, stride=2)


class Unit(nn.Module):
    """Convolution, norm, ReLU. With stride 1 the size stays, unless `inside` the map."""

    def __init__(
        self, inputs: int, outputs: int, size: Size, *, stride: int = 1, inside: bool = False
    ) -> None:
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        padding = 0 if inside or stride > 1 else (height // 2, width // 2)
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the unit to x [N, I, H, W]."""
        return F.relu(self.norm(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side, each a row of units behind an optional pool.

    A table gives, for each branch, (channels, size) of its units; a list of two at the end stands
    for two convolutions side by side, called a and b.
    """

    def __init__(
        self,
        inputs: int,
        branches: dict[str, tuple],
        *,
        pool: Callable[[Tensor], Tensor],
        stride: int = 1,
        narrowing: int = 1,
    ) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.pool, self.stride, self.outputs = pool, stride, 0
        for branch, units in branches.items():
            width, self.rows[branch] = inputs, []
            for number, unit in enumerate(units, start=1):
                last = number == len(units)
                fork = unit if isinstance(unit, list) else [unit]
                stem = f"{branch}_{number}" if len(units) > 1 else branch
                names = [stem + "ab"[i] for i in range(2)] if len(fork) > 1 else [stem]
                for name, (outputs, size) in zip(names, fork, strict=True):
                    step = stride if last else 1
                    self.add_module(name, Unit(width, outputs // narrowing, size, stride=step))
                self.rows[branch].append(names)
                width = fork[0][0] // narrowing
            self.outputs += width * len(self.rows[branch][-1])
        if stride > 1:
            self.outputs += inputs

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block to x [N, I, H, W]."""
        outputs = []
        for branch, row in self.rows.items():
            y = self.pool(x) if branch == "branch_pool" else x
            for names in row[:-1]:
                y = self.get_submodule(names[0])(y)
            outputs += [self.get_submodule(name)(y) for name in row[-1]]
        return torch.cat(outputs + ([self.pool(x)] if self.stride > 1 else []), dim=1)


def block_a(pooled: int) -> dict[str, tuple]:
    """Figure 5."""
    return {
        "branch1x1": ((64, 1),),
        "branch5x5": ((48, 1), (64, 5)),
        "branch3x3dbl": ((64, 1), (96, 3), (96, 3)),
        "branch_pool": ((pooled, 1),),
    }


def block_b() -> dict[str, tuple]:
    """Reduction behind figure 5."""
    return {"branch3x3": ((384, 3),), "branch3x3dbl": ((64, 1), (96, 3), (96, 3))}


def block_c(c: int) -> dict[str, tuple]:
    """Figure 6."""
    across, down = (1, 7), (7, 1)
    return {
        "branch1x1": ((192, 1),),
        "branch7x7": ((c, 1), (c, across), (192, down)),
        "branch7x7dbl": ((c, 1), (c, down), (c, across), (c, down), (192, across)),
        "branch_pool": ((192, 1),),
    }


def block_d() -> dict[str, tuple]:
    """Reduction behind figure 6."""
    return {
        "branch3x3": ((192, 1), (320, 3)),
        "branch7x7x3": ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)),
    }


def block_e() -> dict[str, tuple]:
    """Figure 7."""
    fork = [(384, (1, 3)), (384, (3, 1))]
    return {
        "branch1x1": ((320, 1),),
        "branch3x3": ((384, 1), fork),
        "branch3x3dbl": ((448, 1), (384, 3), fork),
        "branch_pool": ((192, 1),),
    }


BLOCKS = {
    "Mixed_5b": (block_a(32), average, 1),
    "Mixed_5c": (block_a(64), average, 1),
    "Mixed_5d": (block_a(64), average, 1),
    "Mixed_6a": (block_b(), halving, 2),
    "Mixed_6b": (block_c(128), average, 1),
    "Mixed_6c": (block_c(160), average, 1),
    "Mixed_6d": (block_c(160), average, 1),
    "Mixed_6e": (block_c(192), average, 1),
    "Mixed_7a": (block_d(), halving, 2),
    "Mixed_7b": (block_e(), average, 1),
    "Mixed_7c": (block_e(), maximum, 1),
}
"""Branches, pool and stride of every block, in order."""


class Inception(nn.Module):
    """Pictures [N, 3, H, W] in [-1, 1], resized to 299x299, to features [N, 2048]."""

    def __init__(self, *, narrowing: int = 1, input_size: int = 299) -> None:
        super().__init__()
        self.input_size = input_size
        widths = [width // narrowing for width in (32, 32, 64, 80, 192)]
        self.Conv2d_1a_3x3 = Unit(3, widths[0], 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(widths[0], widths[1], 3, inside=True)
        self.Conv2d_2b_3x3 = Unit(widths[1], widths[2], 3)
        self.Conv2d_3b_1x1 = Unit(widths[2], widths[3], 1)
        self.Conv2d_4a_3x3 = Unit(widths[3], widths[4], 3, inside=True)
        width = widths[-1]
        for name, (branches, pool, stride) in BLOCKS.items():
            block = Mixed(width, branches, pool=pool, stride=stride, narrowing=narrowing)
            self.add_module(name, block)
            width = block.outputs
        self.fc = nn.Linear(width, 1008 // narrowing)  # In the weights; FID does not read it.

    def forward(self, images: Tensor) -> Tensor:
        """Reads features."""
        x = F.interpolate(images, size=(self.input_size,) * 2, mode="bilinear")
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = halving(x)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = halving(x)
        for name in BLOCKS:
            x = self.get_submodule(name)(x)
        return x.mean(dim=(2, 3))
