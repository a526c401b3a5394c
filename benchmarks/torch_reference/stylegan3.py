"""StyleGAN3's generator in plain PyTorch: the sampled waves, grouped and depthwise convolutions.

Filtered leaky ReLU is a chain of four operations, as the originals run it without their kernels.
Sizes, factors and filters of the layers are those of our table; what is computed with them is
written here again.

Source: StyleGAN3 (arXiv:2106.12423), section 3 and appendix F.
"""

# pyright: reportMissingImports=false

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor, nn

from benchmarks.torch_reference.operations import low_pass, modulated_weights, upfirdn2d
from benchmarks.torch_reference.stylegan2 import EqualLinear, Mapping, modulated_conv
from sfe_jax.models.alias_free_table import AliasFreeLayer, Level


class FourierInput(nn.Module):
    """Waves over the picture's plane, moved as codes ask, and mixed: [N, W] to [N, C, S, S]."""

    def __init__(self, level: Level, channels: int, w_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels))
        self.affine = EqualLinear(w_dim, 4)
        self.register_buffer("transform", torch.empty(3, 3))
        self.register_buffer("freqs", torch.empty(channels, 2))
        self.register_buffer("phases", torch.empty(channels))
        self.level = level

    def _plane(self, w: Tensor) -> Tensor:
        """First two rows [N, 2, 3] of the codes' rotation and shift, after the stored transform."""
        code = self.affine(w)
        cos, sin, x, y = (code / code[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        rotation = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
        shift = -rotation @ torch.stack([x, y], dim=1)[:, :, None]
        return torch.cat([rotation, shift], dim=2) @ self.transform

    def forward(self, w: Tensor) -> Tensor:
        """Draws the waves of codes [N, W]."""
        level = self.level

        # Waves as the codes leave them; those beyond the band fade out.
        moved = self.freqs @ self._plane(w)  # [N, C, 3].
        freqs, phases = moved[:, :, :2], moved[:, :, 2] + self.phases
        beyond = freqs.norm(dim=2) - level.cutoff
        amplitudes = (1 - beyond / (level.rate / 2 - level.cutoff)).clamp(0, 1)

        # Samples.
        grid = torch.arange(level.size, device=w.device, dtype=w.dtype)
        grid = (grid + 0.5 - level.size / 2) / level.rate
        across = freqs[:, :, None, None, 0] * grid
        down = freqs[:, :, None, None, 1] * grid[:, None]
        waves = torch.sin(2 * math.pi * (across + down + phases[:, :, None, None]))
        mixture = self.weight * (1 / math.sqrt(len(self.weight)))
        mixed = mixture @ (waves * amplitudes[:, :, None, None]).flatten(2)
        return mixed.reshape(len(w), -1, level.size, level.size)


def _kernels(f: np.ndarray | None, gain: float) -> list[Tensor]:
    """Kernels of a filter on the host, even where modules are built without memory."""
    return [] if f is None else low_pass(f, gain=gain, like=torch.empty(0, device="cpu"))


class AliasFreeConv(nn.Module):
    """Modulated convolution and filtered leaky ReLU; for "torgb" modulated and linear."""

    def __init__(self, layer: AliasFreeLayer, *, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        shape = (layer.channels, layer.in_channels, layer.kernel_size, layer.kernel_size)
        self.affine = EqualLinear(w_dim, layer.in_channels)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(layer.channels))
        self.register_buffer("magnitude_ema", torch.empty(()))
        self.filters: dict[str, list[str]] = {}
        for name, f, gain in (
            ("up", layer.up_filter, float(layer.up**2)),
            ("down", layer.down_filter, 1.0),
        ):
            kernels = {f"{name}_filter{i}": k for i, k in enumerate(_kernels(f, gain))}
            for key, kernel in kernels.items():
                self.register_buffer(key, kernel, persistent=False)
            self.filters[name] = list(kernels)
        self.row, self.kind = layer.row, layer.kind
        self.up, self.down, self.padding = layer.up, layer.down, layer.padding
        self.clamp = clamp

    def _bounded(self, x: Tensor) -> Tensor:
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)

    def _filters(self, name: str) -> list[Tensor]:
        return [getattr(self, key) for key in self.filters[name]]

    def _to_colours(self, x: Tensor, style: Tensor, gain: Tensor) -> Tensor:
        style = style * (gain / math.sqrt(x.shape[1]))
        y = modulated_conv(x, self.weight, style, demodulate=False)
        return self._bounded(y + self.bias[:, None, None])

    def _convolve(self, x: Tensor, style: Tensor, gain: Tensor) -> Tensor:
        """One grouped convolution that keeps every output with any input."""
        n, channels, height, width = x.shape
        weight = self.weight * self.weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
        style = style * style.square().mean().rsqrt()
        weights = (modulated_weights(weight, style, x.dtype) * gain).flatten(0, 1)
        x = x.reshape(1, n * channels, height, width)
        y = F.conv2d(x, weights, padding=weight.shape[-1] - 1, groups=n)
        return y.reshape(n, -1, *y.shape[2:])

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Applies the layer to x [N, I, H, W] under w [N, W]."""
        style, gain = self.affine(w), self.magnitude_ema.rsqrt()
        if self.kind == "torgb":
            return self._to_colours(x, style, gain)
        y = self._convolve(x, style, gain) + self.bias[:, None, None]
        y = upfirdn2d(y, self._filters("up"), up=self.up, padding=self.padding)
        y = self._bounded(F.leaky_relu(y, 0.2) * math.sqrt(2))
        return upfirdn2d(y, self._filters("down"), down=self.down)


class Synthesis(nn.Module):
    """Synthesis network: codes [N, L, W] to pictures [N, 3, R, R]."""

    def __init__(
        self,
        layers: Sequence[AliasFreeLayer],
        *,
        w_dim: int,
        output_scale: float,
        clamp: float | None,
    ) -> None:
        super().__init__()
        self.input = FourierInput(layers[0].source, layers[0].in_channels, w_dim)
        for layer in layers:
            self.add_module(layer.name, AliasFreeConv(layer, w_dim=w_dim, clamp=clamp))
        self.output_scale = output_scale

    def forward(self, ws: Tensor) -> Tensor:
        """Synthesises pictures. The waves have the type of `input`, the layers that of `ws`."""
        waves, *layers = self.children()
        x = waves(ws[:, 0].to(waves.freqs.dtype)).to(ws.dtype)
        for layer in layers:
            x = layer(x, ws[:, layer.row])
        return x * self.output_scale


class Generator(nn.Module):
    """Mapping and synthesis: z [N, Z] to pictures [N, 3, R, R], without truncation."""

    def __init__(
        self,
        layers: Sequence[AliasFreeLayer],
        *,
        z_dim: int,
        w_dim: int,
        mapping_layers: int,
        output_scale: float,
        clamp: float | None,
    ) -> None:
        super().__init__()
        self.mapping = Mapping(z_dim, w_dim, mapping_layers)
        self.synthesis = Synthesis(layers, w_dim=w_dim, output_scale=output_scale, clamp=clamp)
        self.num_ws = len(layers) + 1

    def forward(self, z: Tensor) -> Tensor:
        """Generates pictures of z [N, Z]."""
        return self.synthesis(self.mapping(z)[:, None].expand(-1, self.num_ws, -1))
