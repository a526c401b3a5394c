"""What "float32" and "bfloat16" mean here: one place decides how exact a product is.

JAX's default lets TPUs and recent GPUs compute float32 products with fewer bits. Parity with the
original weights needs all of them, so float32 inputs always ask for the highest precision;
bfloat16 inputs take the fast path of the device.
"""

import jax.numpy as jnp
from jax import lax

from sfe_jax.core.types import Array


def product_precision(dtype: jnp.dtype) -> lax.Precision:
    """Precision of a convolution or matrix product whose inputs have type `dtype`."""
    return lax.Precision.HIGHEST if dtype == jnp.float32 else lax.Precision.DEFAULT


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
    wide = jnp.float32 if x.dtype.itemsize < 4 else x.dtype
    return jnp.broadcast_to(part.astype(wide), x.shape).astype(x.dtype)
