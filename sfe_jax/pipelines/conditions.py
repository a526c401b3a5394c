"""What a pSp encoder reads: a picture, a sketch, or a map of labels, by its number of channels.

Source: pixel2style2pixel configs/transforms_config.py and datasets/augmentations.py.
"""

import jax
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.ops.resize import reduce_bicubic, resize_bilinear

ROUNDING = 1e-3
"""Of a level: what float32 may lack of a whole one, which must not become the one below."""


def condition_values(levels: Array, channels: int) -> Array:
    """What an encoder of `channels` channels reads.

    Args:
        levels: uint8 [N, R, R, C]; C is 3 for pictures, 1 for sketches and maps of labels.
        channels: Of the encoder: 3 for pictures, 1 for sketches, n for maps of n labels.

    Returns:
        float32 [N, R, R, channels]: pictures in [-1, 1], sketches in [0, 1], labels as 0 and 1; all
        zeros where a label is n or above.
    """
    match channels:
        case 3:
            return levels.astype(jnp.float32) / 127.5 - 1
        case 1:
            return levels.astype(jnp.float32) / 255
        case _:
            return jax.nn.one_hot(levels[..., 0], channels)


def degrade(images: Array, factor: int) -> Array:
    """A picture as one of `factor` times fewer pixels a side shows it, at its own size.

    Args:
        images: [N, R, R, C] in [-1, 1], float32.
        factor: A divisor of R; 1 blurs and shifts by half a pixel, as in the original.

    Returns:
        [N, R, R, C] in [-1, 1]: shrunk with a bicubic kernel, cut down to whole levels, enlarged.

    Raises:
        ShapeError: If the factor does not fit the size.
    """
    small = reduce_bicubic(images, factor)
    levels = jnp.floor((jnp.clip(small, -1, 1) + 1) * 127.5 + ROUNDING)
    return resize_bilinear(levels / 127.5 - 1, images.shape[1])
