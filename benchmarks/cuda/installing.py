"""Puts the CUDA kernels in the place of the XLA forms, in whole networks."""

import pathlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.module import InterceptorContext

from benchmarks.cuda import filtered, pointwise, resampling
from benchmarks.cuda.building import BuildError, Device
from benchmarks.cuda.library import unavailable
from benchmarks.rivals.swapping import swapped
from sfe_jax.core.types import Array
from sfe_jax.models.stylegan2 import NoiseMode, StyledConv
from sfe_jax.ops.bias_act import ACTIVATIONS, bias_act
from sfe_jax.ops.convolution import convolve, upsample_convolve
from sfe_jax.ops.filtered_lrelu import filtered_lrelu
from sfe_jax.ops.modulated_conv import demodulation, modulated_conv
from sfe_jax.ops.upfirdn2d import upfirdn2d


def _bias_act(x: Array, bias: Array | None = None, **options: Any) -> Array:
    """Pictures through the kernel; a few codes through XLA, since a launch outweighs their work."""
    form = pointwise.bias_act if x.ndim == 4 else bias_act
    return form(x, bias, **options)


REPLACEMENTS: dict[Callable, Callable] = {
    bias_act: _bias_act,
    upfirdn2d: resampling.upfirdn2d,
    filtered_lrelu: filtered.filtered_lrelu,
}
"""Function of the library -> its CUDA form."""


def _styled(
    layer: StyledConv,
    x: Array,
    style: Array,
    *,
    epilogue: Callable[..., Array],
    noise_mode: NoiseMode = "const",
    gain: float = 1.0,
) -> Array:
    """A styled layer whose demodulation, noise, bias and activation are one kernel."""
    if x.dtype != jnp.float32:  # As `modulated_conv` does where it demodulates.
        style = style / jnp.max(jnp.abs(style), axis=1, keepdims=True)
    convolution = upsample_convolve if layer.upsample else convolve
    y = modulated_conv(x, layer.kernel, style, demodulate=False, convolution=convolution)
    noise = None
    if layer.use_noise and noise_mode != "none":
        noise = layer.noise_strength * layer._noise(x.shape[0], noise_mode)
    return epilogue(
        y,
        demodulation(layer.kernel, style),
        noise,
        layer.bias,
        gain=ACTIVATIONS["lrelu"].gain * gain,
        clamp=None if layer.clamp is None else layer.clamp * gain,
    )


def with_epilogue(epilogue: Callable[..., Array]) -> AbstractContextManager[None]:
    """Lets the layers of StyleGAN2 end in `epilogue`, of the signature of `Kernels.epilogue`."""

    def intercept(
        call: Callable, arguments: tuple, options: dict[str, Any], context: InterceptorContext
    ) -> Any:
        if isinstance(context.module, StyledConv) and context.method_name == "__call__":
            return _styled(context.module, *arguments, epilogue=epilogue, **options)
        return call(*arguments, **options)

    return nn.intercept_methods(intercept)


@contextmanager
def installed(device: Device = "cuda", folder: pathlib.Path | None = None) -> Iterator[None]:
    """For measuring alone: networks that are traced inside are made of the CUDA kernels.

    bias_act (of pictures, not of codes), upfirdn2d and filtered_lrelu are replaced in every loaded
    module of the library, and the layers of StyleGAN2 end in the fused epilogue. A compiled
    program keeps what it was traced with, so lower and compile inside. The kernels have reverse
    derivatives alone, and run on one device.

    Args:
        device: "cuda"; or "host", where the same sources run on the processor, for tests.
        folder: Of the library, in place of the cache folder.

    Raises:
        BuildError: If the kernels cannot run here; `unavailable` says so without failing.
    """
    if reason := unavailable(device, folder):
        raise BuildError(reason)
    with swapped(REPLACEMENTS), with_epilogue(pointwise.epilogue):
        yield
