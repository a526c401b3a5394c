"""The operations of StyleGAN that are measured: their arguments, and who computes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.rivals import originals, plain
from sfe_jax.core.precision import broadcast_like
from sfe_jax.core.types import Array
from sfe_jax.ops import bias_act as ops_bias_act
from sfe_jax.ops import convolution as ops_convolution
from sfe_jax.ops import filtered_lrelu as ops_filtered_lrelu
from sfe_jax.ops import minibatch_std as ops_minibatch_std
from sfe_jax.ops import modulated_conv as ops_modulated_conv
from sfe_jax.ops import upfirdn2d as ops_upfirdn2d
from sfe_jax.ops.lowpass import lowpass
from sfe_jax.ops.packing import elementwise

FILTER = ops_convolution.RESAMPLE_FILTER

CLAMP = 256.0
"""Of StyleGAN3's layers."""

Size = tuple[int, int, int]
"""Samples N, pixels a side, channels C."""

InTorch = Callable[[Any], Callable]
"""A tensor of the type and on the device of the inputs -> function of tensors."""


@dataclass(frozen=True)
class Input:
    """An argument."""

    kind: str  # "image" [N, H, W, C], "kernel" [k, k, I, O], or "vector", any other.
    shape: tuple[int, ...]
    mean: float = 0.0
    full: bool = False  # Whether it is float32 throughout, as parameters are.


@dataclass(frozen=True)
class Operation:
    """An operation at one size; the library's functions are looked up when it is traced."""

    name: str
    inputs: tuple[Input, ...]
    ours: Callable[..., Array]
    plain: Callable[..., Array]
    torch: InTorch
    original: InTorch | None = None  # None: NVIDIA has no kernel of its own for it.
    products: bool = False  # Whether it multiplies matrices, for which TF32 exists.
    epilogue: bool = False  # Whether it is the epilogue, which our kernels do in one pass.

    @property
    def shape(self) -> str:
        """Shape of the first argument."""
        return "x".join(map(str, self.inputs[0].shape))


def _image(size: Size) -> Input:
    n, side, channels = size
    return Input("image", (n, side, side, channels))


def _kernel(size: Size) -> Input:
    return Input("kernel", (3, 3, size[2], size[2]), full=True)


def _styles(size: Size) -> Input:
    return Input("vector", (size[0], size[2]), mean=1.0, full=True)


def _torch() -> Any:
    """The operations in PyTorch, imported once it is known to be installed."""
    from benchmarks.torch_reference import operations

    return operations


def kaiser() -> np.ndarray:
    """A filter of StyleGAN3's: 12 taps along either axis, for a factor of 2."""
    return lowpass(12, cutoff=0.25, width=0.15, rate=2.0)


def bias_act(size: Size) -> Operation:
    """Bias, leaky ReLU, gain."""
    return Operation(
        "bias_act",
        (_image(size), Input("vector", (size[2],))),
        lambda x, b: ops_bias_act.bias_act(x, b),
        plain.bias_act,
        lambda _: _torch().bias_act,
        originals.bias_act,
    )


def epilogue(size: Size) -> Operation:
    """What follows a modulated convolution: demodulation, noise, bias, leaky ReLU."""

    def ours(y: Array, scale: Array, noise: Array, bias: Array) -> Array:
        """As `modulated_conv` and `StyledConv` end."""
        y = elementwise(lambda y, s: y * broadcast_like(s, y), y, scale[:, None, None, :])
        y = elementwise(lambda y, n: y + broadcast_like(n, y), y, noise.astype(y.dtype))
        return ops_bias_act.bias_act(y, bias)

    n, side, channels = size
    scale = Input("vector", (n, channels), mean=1.0, full=True)
    noise = Input("vector", (1, side, side, 1), full=True)
    return Operation(
        "epilogue",
        (_image(size), scale, noise, Input("vector", (channels,))),
        ours,
        plain.epilogue,
        lambda _: _torch().epilogue,
        epilogue=True,
    )


def _resampling(name: str, size: Size, *, gain: float = 1.0, **options: Any) -> Operation:
    """`upfirdn2d` with the filter of StyleGAN2."""

    def in_torch(like: Any) -> Callable:
        filters = _torch().low_pass(FILTER, gain=gain, like=like)
        return lambda x: _torch().upfirdn2d(x, filters, **options)

    return Operation(
        f"upfirdn2d, {name}",
        (_image(size),),
        lambda x: ops_upfirdn2d.upfirdn2d(x, FILTER, gain=gain, **options),
        lambda x: plain.upfirdn2d(x, FILTER, gain=gain, **options),
        in_torch,
        lambda like: originals.upfirdn2d(like, FILTER, gain=gain, **options),
    )


def upsample(size: Size) -> Operation:
    """Twice the resolution."""
    return _resampling("up 2", size, up=2, padding=(2, 1, 2, 1), gain=4.0)


def downsample(size: Size) -> Operation:
    """Half the resolution."""
    return _resampling("down 2", size, down=2, padding=(1, 1, 1, 1))


def blur(size: Size) -> Operation:
    """The same resolution."""
    return _resampling("blur", size, padding=(2, 1, 2, 1))


def modulated_conv(size: Size) -> Operation:
    """A 3x3 convolution under styles."""
    return Operation(
        "modulated_conv",
        (_image(size), _kernel(size), _styles(size)),
        lambda x, k, s: ops_modulated_conv.modulated_conv(
            x, k, s, convolution=ops_convolution.convolve
        ),
        plain.modulated_conv,
        lambda _: _torch().modulated_conv,
        products=True,
    )


def modulated_conv_up(size: Size) -> Operation:
    """The same at twice the resolution."""

    def in_torch(like: Any) -> Callable:
        filters = _torch().low_pass(FILTER, gain=4.0, like=like)
        return lambda x, k, s: _torch().modulated_conv_up(x, k, s, f=filters)

    return Operation(
        "modulated_conv, up 2",
        (_image(size), _kernel(size), _styles(size)),
        lambda x, k, s: ops_modulated_conv.modulated_conv(
            x, k, s, convolution=ops_convolution.upsample_convolve
        ),
        lambda x, k, s: plain.modulated_conv(x, k, s, convolution=plain.upsample_convolve),
        in_torch,
        lambda like: originals.modulated_conv_up(like, FILTER),
        products=True,
    )


def downsample_conv(size: Size) -> Operation:
    """A 3x3 convolution to half the resolution."""

    def in_torch(like: Any) -> Callable:
        filters = _torch().low_pass(FILTER, like=like)
        return lambda x, k: _torch().downsample_conv(x, k, f=filters)

    return Operation(
        "downsample_convolve",
        (_image(size), _kernel(size)),
        lambda x, k: ops_convolution.downsample_convolve(x, k.astype(x.dtype)),
        lambda x, k: plain.downsample_convolve(x, k.astype(x.dtype)),
        in_torch,
        lambda like: originals.downsample_conv(like, FILTER),
        products=True,
    )


def filtered_lrelu(size: Size) -> Operation:
    """Leaky ReLU at twice the resolution, as StyleGAN3 has it."""
    f, padding = kaiser(), (11, 10, 11, 10)  # Keeps the size.
    filters: dict[str, Any] = {"up_filter": f, "down_filter": f, "up": 2, "down": 2}
    options: dict[str, Any] = {"padding": padding, "clamp": CLAMP}

    def in_torch(like: Any) -> Callable:
        up, down = (_torch().low_pass(f, gain=gain, like=like) for gain in (4.0, 1.0))
        return lambda x, b: _torch().filtered_lrelu(x, b, up_filter=up, down_filter=down, **options)

    return Operation(
        "filtered_lrelu",
        (_image(size), Input("vector", (size[2],))),
        lambda x, b: ops_filtered_lrelu.filtered_lrelu(x, b, **filters, **options),
        lambda x, b: plain.filtered_lrelu(x, b, **filters, **options),
        in_torch,
        lambda like: originals.filtered_lrelu(like, f, f, **options),
    )


def minibatch_std(size: Size) -> Operation:
    """Statistics of groups of four samples."""
    return Operation(
        "minibatch_std",
        (_image(size),),
        lambda x: ops_minibatch_std.minibatch_std(x),
        plain.minibatch_std,
        lambda _: _torch().minibatch_std,
    )


MAPS = (
    bias_act,
    epilogue,
    upsample,
    downsample,
    blur,
    modulated_conv,
    modulated_conv_up,
    downsample_conv,
    filtered_lrelu,
)
"""Operations on maps of any size; `minibatch_std` works on the discriminator's last."""
