"""What "float32" and "bfloat16" mean here: one place decides how exact a product is.

JAX's default lets TPUs and recent GPUs compute float32 products with fewer bits. Parity with the
original weights needs all of them, so float32 inputs always ask for the highest precision;
bfloat16 inputs take the fast path of the device.
"""

import jax.numpy as jnp
from jax import lax


def product_precision(dtype: jnp.dtype) -> lax.Precision:
    """Precision of a convolution or matrix product whose inputs have type `dtype`."""
    return lax.Precision.HIGHEST if dtype == jnp.float32 else lax.Precision.DEFAULT
