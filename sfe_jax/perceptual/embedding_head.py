"""The last layers of the ArcFace family: from a body's map to a point on the unit sphere.

Source: ArcFace (arXiv:1801.07698), section 3.1; pixel2style2pixel models/encoders/model_irse.py.
"""

import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.nn.residual import BatchNorm, Dense


def embed_map(x: Array, features: int, *, affine: bool) -> Array:
    """Norm, dense layer, norm, unit length; the layers belong to the module that calls.

    Args:
        x: [N, H, W, C], of an IR body.
        features: Size of the embedding.
        affine: Whether the last norm learns a scale and a bias.

    Returns:
        [N, features], of unit length.
    """
    x = BatchNorm(use_running_average=True, name="norm")(x)
    x = x.reshape(x.shape[0], -1)  # Order H, W, C; the converter permutes C, H, W.
    x = Dense(features, name="dense")(x)
    norm = BatchNorm(
        use_running_average=True, use_scale=affine, use_bias=affine, name="embedding_norm"
    )
    x = norm(x)
    return x / jnp.linalg.norm(x, axis=1, keepdims=True)
