"""What "float32" and "bfloat16" mean here: one place decides how exact a product is.

JAX's default lets TPUs and recent GPUs compute float32 products with fewer bits. Parity with the
original weights needs all of them, so float32 inputs always ask for the highest precision;
bfloat16 inputs take the fast path of the device.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from sfe_jax.core.types import Array


def product_precision(dtype: jnp.dtype) -> lax.Precision:
    """Precision of a convolution or matrix product whose inputs have type `dtype`."""
    return lax.Precision.HIGHEST if dtype == jnp.float32 else lax.Precision.DEFAULT


def rounded_once(function: Callable[..., Array]) -> Callable[..., Array]:
    """`function` of arrays, computed in float32 at least, and rounded to the dtype of the first.

    For sums and products with what is broadcast, such as a bias: its slope is a sum over all that
    it was added to, and a sum of bfloat16 numbers stalls at 256 times one of them. Backends fuse
    the conversions, so that nothing wider reaches memory.
    """

    def run(x: Array, *others: Array) -> Array:
        wide = jnp.float32 if x.dtype.itemsize < 4 else x.dtype
        return function(x.astype(wide), *(y.astype(wide) for y in others)).astype(x.dtype)

    return run
