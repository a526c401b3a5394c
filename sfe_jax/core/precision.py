"""What "float32" and "bfloat16" mean here: one place decides how exact a product is.

JAX's default lets TPUs and recent GPUs compute float32 products with fewer bits. Parity with the
original weights needs all of them, so float32 inputs always ask for the highest precision;
bfloat16 inputs take the fast path of the device.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from sfe_jax.core.platforms import by_platform
from sfe_jax.core.types import Array


def product_precision(dtype: jnp.dtype) -> lax.Precision:
    """Precision of a convolution or matrix product whose inputs have type `dtype`."""
    return lax.Precision.HIGHEST if dtype == jnp.float32 else lax.Precision.DEFAULT


def _widen(x: Array, dtype: jnp.dtype) -> Array:
    """`x` in `dtype`, or in float32 if that has fewer bits."""
    return x.astype(jnp.float32 if dtype.itemsize < 4 else dtype)


def broadcast_like(part: Array, x: Array) -> Array:
    """`part` in shape and dtype of `x`, whose slope by `part` is summed in float32.

    A sum of bfloat16 numbers stalls at 256 times one of them, and the slope by a bias is a sum over
    all that it was added to.

    Args:
        part: Of a shape that broadcasts to that of `x`.
        x: Any array.

    Returns:
        Of the shape and dtype of `x`.
    """
    return jnp.broadcast_to(_widen(part, x.dtype), x.shape).astype(x.dtype)


def in_float32(function: Callable[..., Array]) -> Callable[..., Array]:
    """`function`, computed in float32 and rounded once, at its end, to the type of its first array.

    Derivatives of any order are in float32 inside, too. Wider arrays stay as they are.

    Args:
        function: Of arrays.

    Returns:
        A function of the same arrays, of any floating type.
    """

    def run(*arrays: Array) -> Array:
        return function(*(_widen(x, x.dtype) for x in arrays)).astype(arrays[0].dtype)

    return run


def wide_on_cpu(function: Callable[..., Array]) -> Callable[..., Array]:
    """`function`, which CPUs compute in float32 if its first array has fewer bits.

    XLA has no arithmetic of 16 bits there: it widens and rounds at every step of a loop. In
    bfloat16 a filtered leaky ReLU of 32x32x128 took 15 times as long so, resampling 20 to 45 times,
    an up-convolution 8 times, and bias and leaky ReLU 3 times.

    Args:
        function: Of arrays.

    Returns:
        A function of the same arrays.
    """

    def run(*arrays: Array) -> Array:
        return by_platform(*arrays, cpu=in_float32(function), default=function)

    return run
