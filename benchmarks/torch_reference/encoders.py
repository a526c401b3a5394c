"""The encoders of SFE in plain PyTorch: e4e, the Inverter's backbone, fuser and Feature Editor.

Source: ArcFace (arXiv:1801.07698), section 3.1; pSp (arXiv:2008.00951), section 3.1; e4e
(arXiv:2102.02766), section 4.1; SFE (arXiv:2406.10601), sections 3.2 and 3.3.
"""

# pyright: reportMissingImports=false

import torch
import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor, nn

from benchmarks.torch_reference.stylegan2 import EqualLinear


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution without bias that keeps the size before its stride."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


class SqueezeExcitation(nn.Module):
    """Scales each channel by a sigmoid of the mean over positions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, 1)
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=False)
        self.expand = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the scaling to x [N, C, H, W]."""
        y = F.relu(self.reduce(x.mean(dim=(2, 3), keepdim=True)))
        return x * torch.sigmoid(self.expand(y))


class Branch(nn.Sequential):
    """Norm, conv, [norm], PReLU, conv of `stride`, norm, [squeeze and excitation]."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, squeeze: bool = False):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3(inputs, outputs)
        if not squeeze:  # iResNet normalises between its convolutions, IR-SE does not.
            self.norm2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = conv3(outputs, outputs, stride)
        self.norm3 = nn.BatchNorm2d(outputs)
        if squeeze:
            self.squeeze = SqueezeExcitation(outputs)


class Unit(nn.Module):
    """A branch and its shortcut: subsampling, or a 1x1 convolution and a norm."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int = 1,
        project: bool = False,
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        self.branch = Branch(inputs, outputs, stride=stride, squeeze=squeeze)
        self.stride, self.project = stride, project
        if project:
            self.shortcut_conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the unit to x [N, I, H, W]."""
        if self.project:
            shortcut = self.shortcut_norm(self.shortcut_conv(x))
        else:
            shortcut = x[:, :, :: self.stride, :: self.stride]
        return shortcut + self.branch(x)


class Stem(nn.Sequential):
    """Conv, norm, PReLU."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = conv3(3, outputs)
        self.norm = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)


class Body(nn.Module):
    """IR-SE body; it gives the outputs of its last three stages."""

    def __init__(self, depths: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = Stem(widths[0])
        self.ends = [sum(depths[: index + 1]) - 1 for index in range(len(depths))][1:]
        inputs, index = widths[0], 0
        for depth, width in zip(depths, widths, strict=True):
            for first in (True, *(False,) * (depth - 1)):
                stride = 2 if first else 1
                unit = Unit(inputs, width, stride=stride, project=inputs != width, squeeze=True)
                self.add_module(f"unit{index}", unit)
                inputs, index = width, index + 1

    def forward(self, images: Tensor) -> list[Tensor]:
        """Reads pictures [N, 3, H, W]; features from fine to coarse."""
        x, outputs = self.stem(images), []
        for index in range(self.ends[-1] + 1):
            x = self.get_submodule(f"unit{index}")(x)
            if index in self.ends:
                outputs.append(x)
        return outputs


class StyleHead(nn.Module):
    """map2style: convolutions of stride 2 down to one pixel, then a dense layer."""

    def __init__(self, inputs: int, outputs: int, *, size: int) -> None:
        super().__init__()
        self.count = (size - 1).bit_length()
        for index in range(self.count):
            conv = nn.Conv2d(outputs if index else inputs, outputs, 3, 2, 1)
            self.add_module(f"conv{index}", conv)
        self.dense = EqualLinear(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Reads a style [N, outputs] of x [N, C, H, W]."""
        for index in range(self.count):
            x = F.leaky_relu(self.get_submodule(f"conv{index}")(x), 0.01)
        return self.dense(x[:, :, 0, 0])


class Pyramid(nn.Module):
    """Body, top-down pathway and one head per row of W+: 3 coarse, 4 middle, the rest fine."""

    def __init__(
        self,
        rows: int,
        w_dim: int,
        *,
        input_size: int,
        depths: tuple[int, ...],
        widths: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.body = Body(depths, widths)
        self.lateral_middle = nn.Conv2d(widths[2], widths[3], 1)
        self.lateral_fine = nn.Conv2d(widths[1], widths[3], 1)
        self.rows = rows
        for row in range(rows):
            size = input_size // (16 if row < 3 else 8 if row < 7 else 4)
            self.add_module(f"style{row}", StyleHead(widths[3], w_dim, size=size))

    def forward(self, images: Tensor) -> Tensor:
        """Reads one style per row, [N, L, W]."""
        fine, middle, coarse = self.body(images)
        middle = enlarge(coarse, middle) + self.lateral_middle(middle)
        fine = enlarge(middle, fine) + self.lateral_fine(fine)
        sources = [coarse] * 3 + [middle] * 4 + [fine] * (self.rows - 7)
        heads = [self.get_submodule(f"style{row}") for row in range(self.rows)]
        return torch.stack([head(x) for head, x in zip(heads, sources, strict=True)], dim=1)


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """X at the size of `like`, bilinear, corners aligned."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)


class E4e(nn.Module):
    """The e4e encoder: one code for all rows, an offset per row, and the average code."""

    def __init__(
        self,
        rows: int = 18,
        w_dim: int = 512,
        *,
        input_size: int = 256,
        depths: tuple[int, ...] = (3, 4, 14, 3),
        widths: tuple[int, ...] = (64, 128, 256, 512),
    ) -> None:
        super().__init__()
        self.pyramid = Pyramid(rows, w_dim, input_size=input_size, depths=depths, widths=widths)
        self.register_buffer("w_avg", torch.empty(rows, w_dim))

    def forward(self, images: Tensor) -> Tensor:
        """Encodes pictures [N, 3, 256, 256] to [N, L, W]."""
        styles = self.pyramid(images)
        offsets = torch.cat([torch.zeros_like(styles[:, :1]), styles[:, 1:]], dim=1)
        return styles[:, :1] + offsets + self.w_avg


class Backbone(nn.Module):
    """The Inverter's iResNet-50, whose third stage keeps its resolution."""

    def __init__(
        self, rows: int, w_dim: int, *, features: int, depths: tuple[int, ...], widths: tuple
    ) -> None:
        super().__init__()
        self.stem, self.depths, self.rows = Stem(widths[0]), depths, rows
        inputs = widths[0]
        for stage, (depth, width, stride) in enumerate(
            zip(depths, widths, (2, 2, 1, 2), strict=True)
        ):
            for index in range(depth):
                first = index == 0
                unit = Unit(inputs, width, stride=stride if first else 1, project=first)
                self.add_module(f"stage{stage}_unit{index}", unit)
                inputs = width
        self.content = Branch(widths[2], features)
        for row in range(rows):
            self.add_module(f"style{row}", nn.Linear(9 * sum(widths), w_dim))
        self.register_buffer("w_avg", torch.empty(rows, w_dim))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Codes [N, L, W] and the feature [N, C, H/4, W/4] of pictures [N, 3, H, W]."""
        x, stages = self.stem(images), []
        for stage, depth in enumerate(self.depths):
            for index in range(depth):
                x = self.get_submodule(f"stage{stage}_unit{index}")(x)
            stages.append(x)
        pooled = [F.adaptive_avg_pool2d(stage, 3) for stage in stages]
        pooled = torch.cat(pooled, dim=1).flatten(1)
        heads = [self.get_submodule(f"style{row}")(pooled) for row in range(self.rows)]
        return torch.stack(heads, dim=1) + self.w_avg, self.content(stages[2])


class Fuser(nn.Module):
    """A 1x1 convolution of two features, then residual units: fuser, and Feature Editor."""

    def __init__(self, features: int = 512, units: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * features, features, 1)
        self.units = units
        for index in range(units):
            self.add_module(f"unit{index}", Unit(features, features))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Merges two features [N, C, H, W]."""
        x = self.conv(torch.cat([first, second], dim=1))
        for index in range(self.units):
            x = self.get_submodule(f"unit{index}")(x)
        return x


class Inverter(nn.Module):
    """Backbone and fuser; between them stands the generator."""

    def __init__(
        self,
        rows: int = 18,
        w_dim: int = 512,
        *,
        features: int = 512,
        units: int = 5,
        depths: tuple[int, ...] = (3, 4, 14, 3),
        widths: tuple[int, ...] = (64, 128, 256, 512),
    ) -> None:
        super().__init__()
        self.backbone = Backbone(rows, w_dim, features=features, depths=depths, widths=widths)
        self.fuser = Fuser(features, units)
