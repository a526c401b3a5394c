"""The operations in PyTorch as anyone would write them: no custom kernels. Pictures are NCHW.

Written from the papers; each takes the arguments of our function of the same name, in PyTorch's
order of axes.
"""

# pyright: reportMissingImports=false

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (Its name everywhere.)
from torch import Tensor


def low_pass(f: np.ndarray, *, gain: float = 1.0, like: Tensor) -> list[Tensor]:
    """Kernels [1, 1, rows, columns] of a filter; one per axis if the filter is one-dimensional.

    Args:
        f: [rows, columns] or [taps].
        gain: Factor of the result.
        like: Has the type and the device.
    """
    f = np.flip(f).copy()  # PyTorch takes no negative strides.
    kernels = [f * gain] if f.ndim == 2 else [f[None] * gain, f[:, None]]
    return [torch.tensor(k, dtype=like.dtype, device=like.device)[None, None] for k in kernels]


def upfirdn2d(
    x: Tensor,
    filters: Sequence[Tensor],
    *,
    up: int = 1,
    down: int = 1,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Tensor:
    """Inserts zeros, pads, convolves every channel, keeps each `down`-th sample.

    Args:
        x: [N, C, H, W].
        filters: Of `low_pass`.
        up: Factor.
        down: Factor.
        padding: Before and after x, before and after y.
    """
    n, channels, height, width = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(n, channels, height * up, width * up)
    x = F.pad(x, padding)
    for f in filters:
        stride = [down if taps > 1 else 1 for taps in f.shape[2:]]
        x = F.conv2d(x, f.expand(channels, -1, -1, -1), stride=stride, groups=channels)
    return x


def bias_act(x: Tensor, bias: Tensor, *, clamp: float | None = None) -> Tensor:
    """Bias, leaky ReLU, gain, clamp."""
    y = F.leaky_relu(x + bias[:, None, None], 0.2) * math.sqrt(2)
    return y if clamp is None else y.clamp(-clamp, clamp)


def modulated_weights(weight: Tensor, styles: Tensor, dtype: Any) -> Tensor:
    """Kernels of the samples, demodulated: weight [O, I, k, k], styles [N, I] -> [N, O, I, k, k].

    Source: StyleGAN2 (arXiv:1912.04958), equations 1 and 3.
    """
    weights = weight[None] * styles[:, None, :, None, None]
    energy = weights.square().sum(dim=(2, 3, 4), keepdim=True)
    return (weights * torch.rsqrt(energy + 1e-8)).to(dtype)


def modulated_conv(x: Tensor, weight: Tensor, styles: Tensor) -> Tensor:
    """One grouped convolution with a kernel for each sample."""
    n, channels, height, width = x.shape
    weights = modulated_weights(weight, styles, x.dtype).flatten(0, 1)
    y = F.conv2d(x.reshape(1, n * channels, height, width), weights, padding=1, groups=n)
    return y.reshape(n, -1, height, width)


def modulated_conv_up(x: Tensor, weight: Tensor, styles: Tensor, *, f: Sequence[Tensor]) -> Tensor:
    """The same at twice the resolution: a transposed convolution, then the low-pass filter."""
    n, channels, height, width = x.shape
    weights = modulated_weights(weight, styles, x.dtype).transpose(1, 2).flatten(0, 1)
    y = F.conv_transpose2d(x.reshape(1, n * channels, height, width), weights, stride=2, groups=n)
    y = y.reshape(n, -1, 2 * height + 1, 2 * width + 1)
    return upfirdn2d(y, f, padding=(1, 1, 1, 1))


def downsample_conv(x: Tensor, weight: Tensor, *, f: Sequence[Tensor]) -> Tensor:
    """Low-pass filter, then a 3x3 convolution of stride 2."""
    y = upfirdn2d(x, f, padding=(2, 2, 2, 2))
    return F.conv2d(y, weight.to(x.dtype), stride=2)


def filtered_lrelu(
    x: Tensor,
    bias: Tensor,
    *,
    up_filter: Sequence[Tensor],
    down_filter: Sequence[Tensor],
    padding: tuple[int, int, int, int],
    clamp: float,
) -> Tensor:
    """Bias, upsampling by 2, leaky ReLU, clamp, downsampling by 2, as four operations."""
    x = x + bias[:, None, None]
    x = upfirdn2d(x, up_filter, up=2, padding=padding)
    x = (F.leaky_relu(x, 0.2) * math.sqrt(2)).clamp(-clamp, clamp)
    return upfirdn2d(x, down_filter, down=2)


def minibatch_std(x: Tensor, *, group: int = 4) -> Tensor:
    """Appends the mean standard deviation within groups of strided samples, as the originals do."""
    n, channels, height, width = x.shape
    grouped = x.reshape(group, -1, channels, height, width)
    deviation = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt()
    statistic = deviation.mean(dim=(1, 2, 3)).repeat(group)
    maps = statistic[:, None, None, None].expand(n, 1, height, width)
    return torch.cat([x, maps.to(x.dtype)], dim=1)


def epilogue(y: Tensor, scale: Tensor, noise: Tensor, bias: Tensor) -> Tensor:
    """What follows a modulated convolution: demodulation, noise, bias, leaky ReLU."""
    y = y * scale[:, :, None, None].to(y.dtype) + noise.view(1, 1, *y.shape[2:]).to(y.dtype)
    return bias_act(y, bias)
