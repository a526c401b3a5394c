"""The dense convolution that every form of a layer is made of."""

from jax import lax

from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array

Padding = tuple[tuple[int, int], tuple[int, int]]
"""Zeros before and after rows, before and after columns."""


def correlate(
    x: Array, kernel: Array, *, stride: int = 1, padding: Padding, input_dilation: int = 1
) -> Array:
    """Cross-correlation, which deep-learning libraries call a convolution.

    Args:
        x: [N, H, W, I].
        kernel: [k, l, I, O].
        stride: Every `stride`-th output is kept.
        padding: Zeros around `x`.
        input_dilation: Distance of the pixels of `x`, with zeros between.

    Returns:
        [N, H', W', O].
    """
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding,
        lhs_dilation=(input_dilation, input_dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=product_precision(x.dtype),
    )


def same_padding(kernel: Array) -> Padding:
    """Zero padding that keeps the size, for odd kernels."""
    height, width = ((size // 2, size // 2) for size in kernel.shape[:2])
    return height, width
