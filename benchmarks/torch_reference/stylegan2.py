"""StyleGAN2's generator in plain PyTorch: modulated weights, transposed convolutions, FIR filters.

Source: StyleGAN2 (arXiv:1912.04958), section 2.2 and appendix B.
"""

# pyright: reportMissingImports=false

import functools
import math
from collections.abc import Mapping as MappingType
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor, nn

TAPS = (1, 3, 3, 1)
"""The binomial low-pass filter, before its normalisation."""


class EqualLinear(nn.Module):
    """Dense layer with an equalised learning rate: [..., inputs] to [..., outputs]."""

    def __init__(
        self, inputs: int, outputs: int, *, rate: float = 1.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.rate, self.activate = rate, activate

    def forward(self, x: Tensor) -> Tensor:
        """Applies the layer to x [..., inputs]."""
        weight = self.weight * (self.rate / math.sqrt(x.shape[-1]))
        y = F.linear(x, weight, self.bias * self.rate)
        return F.leaky_relu(y, 0.2) * math.sqrt(2) if self.activate else y


@functools.cache
def binomial_filter(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The filter of every resampling, [4, 4], sum 1; made once for a device and a type."""
    taps = torch.tensor(TAPS, dtype=dtype, device=device)
    return torch.outer(taps, taps) / taps.sum() ** 2


def low_pass(x: Tensor, *, up: int = 1, padding: tuple[int, int], gain: float = 1.0) -> Tensor:
    """Inserts zeros, pads and filters: the upfirdn2d of the papers, as a depthwise convolution.

    Args:
        x: [N, C, H, W].
        up: Factor; `up` - 1 zeros follow each pixel.
        padding: Zeros before and after, on both axes; never negative here.
        gain: Factor of the result.

    Returns:
        [N, C, up H + before + after - 3, likewise for W].
    """
    n, channels, height, width = x.shape
    if up > 1:
        x = x.reshape(n, channels, height, 1, width, 1)
        x = F.pad(x, (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(n, channels, height * up, width * up)
    x = F.pad(x, (*padding, *padding))
    f = binomial_filter(x.device, x.dtype) * gain
    return F.conv2d(x, f.expand(channels, 1, -1, -1), groups=channels)


def modulated_conv(
    x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True, upsample: bool = False
) -> Tensor:
    """Convolves each sample with weights of its own, as one grouped convolution.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k].
        style: [N, I].
        demodulate: Whether output channels are brought back to unit variance.
        upsample: Whether the resolution is doubled, by a transposed convolution and a low-pass.

    Returns:
        [N, O, H', W'].

    Source: StyleGAN2 (arXiv:1912.04958), equations 1 to 3.
    """
    n, channels, height, width = x.shape
    weights = weight[None] * style[:, None, :, None, None]  # [N, O, I, k, k]
    if demodulate:
        energy = weights.square().sum(dim=(2, 3, 4), keepdim=True)
        weights = weights * torch.rsqrt(energy + 1e-8)
    x = x.reshape(1, n * channels, height, width)
    if upsample:
        weights = weights.transpose(1, 2).flatten(0, 1)  # [N I, O, k, k]
        y = F.conv_transpose2d(x, weights, stride=2, groups=n)
        y = y.reshape(n, -1, 2 * height + 1, 2 * width + 1)
        return low_pass(y, padding=(1, 1), gain=4.0)
    y = F.conv2d(x, weights.flatten(0, 1), padding=weight.shape[-1] // 2, groups=n)
    return y.reshape(n, -1, height, width)


class StyledConv(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU."""

    def __init__(
        self, inputs: int, outputs: int, *, resolution: int, w_dim: int, upsample: bool
    ) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.noise_strength = nn.Parameter(torch.empty(()))
        self.register_buffer("noise_const", torch.empty(resolution, resolution))
        self.upsample = upsample

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Applies the layer to x [N, I, H, W] under w [N, W]."""
        y = modulated_conv(x, self.weight, self.affine(w), upsample=self.upsample)
        y = y + self.noise_strength * self.noise_const
        return F.leaky_relu(y + self.bias[:, None, None], 0.2) * math.sqrt(2)


class ToRgb(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, inputs: int, *, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs)
        self.weight = nn.Parameter(torch.empty(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.empty(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Applies the layer to x [N, I, H, W] under w [N, W]."""
        style = self.affine(w) * (1 / math.sqrt(x.shape[1]))
        return modulated_conv(x, self.weight, style, demodulate=False) + self.bias[:, None, None]


class Block(nn.Module):
    """The layers of one resolution."""

    def __init__(self, inputs: int | None, outputs: int, *, resolution: int, w_dim: int) -> None:
        super().__init__()
        if inputs is None:
            self.const = nn.Parameter(torch.empty(outputs, resolution, resolution))
        else:
            self.conv0 = StyledConv(
                inputs, outputs, resolution=resolution, w_dim=w_dim, upsample=True
            )
        self.conv1 = StyledConv(
            outputs, outputs, resolution=resolution, w_dim=w_dim, upsample=False
        )
        self.torgb = ToRgb(outputs, w_dim=w_dim)


class Synthesised(NamedTuple):
    """What a synthesis gives."""

    image: Tensor  # [N, 3, R, R].
    features: dict[int, Tensor]  # Resolution -> [N, C, r, r], output of the block's conv1.


class Synthesis(nn.Module):
    """Synthesis network with skip connections: codes of W+ to a picture."""

    def __init__(self, channels: tuple[int, ...], w_dim: int) -> None:
        super().__init__()
        for index, (inputs, outputs) in enumerate(
            zip((None, *channels[:-1]), channels, strict=True)
        ):
            resolution = 4 << index
            block = Block(inputs, outputs, resolution=resolution, w_dim=w_dim)
            self.add_module(f"b{resolution}", block)

    def forward(
        self,
        ws: Tensor,
        *,
        stop_at: int | None = None,
        replace: MappingType[int, Tensor] | None = None,
    ) -> Synthesised:
        """Synthesises pictures.

        Args:
            ws: [N, L, W].
            stop_at: Resolution of the last block; None for all.
            replace: Resolution -> [N, C, r, r]: what the next block reads instead of the feature.
        """
        x, image, features = None, None, {}
        for index, block in enumerate(self.children()):
            resolution = 4 << index
            if x is None:
                x = block.const.expand(ws.shape[0], -1, -1, -1)
            else:
                x = block.conv0(x, ws[:, 2 * index - 1])
            x = features[resolution] = block.conv1(x, ws[:, 2 * index])
            colours = block.torgb(x, ws[:, 2 * index + 1])
            if image is not None:
                colours = colours + low_pass(image, up=2, padding=(2, 1), gain=4.0)
            image = colours
            if resolution == stop_at:
                break
            x = (replace or {}).get(resolution, x)
        return Synthesised(image, features)  # pyright: ignore[reportArgumentType]


class Mapping(nn.Module):
    """Mapping network: z [N, Z] to w [N, W]."""

    def __init__(self, z_dim: int, w_dim: int, layers: int) -> None:
        super().__init__()
        for index in range(layers):
            inputs = w_dim if index else z_dim
            layer = EqualLinear(inputs, w_dim, rate=0.01, activate=True)
            self.add_module(f"dense{index}", layer)
        self.register_buffer("w_avg", torch.empty(w_dim))

    def forward(self, z: Tensor) -> Tensor:
        """Maps z [N, Z]."""
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.children():
            x = layer(x)
        return x


class Generator(nn.Module):
    """Mapping and synthesis: z [N, Z] to pictures [N, 3, R, R], without truncation."""

    def __init__(
        self, channels: tuple[int, ...], *, z_dim: int = 512, w_dim: int = 512, layers: int = 8
    ) -> None:
        super().__init__()
        self.mapping = Mapping(z_dim, w_dim, layers)
        self.synthesis = Synthesis(channels, w_dim)
        self.num_ws = 2 * len(channels)

    def forward(self, z: Tensor) -> Tensor:
        """Generates pictures of z [N, Z]."""
        ws = self.mapping(z)[:, None].expand(-1, self.num_ws, -1)
        return self.synthesis(ws).image
