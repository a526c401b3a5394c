"""ArcFace IR-SE50: is it the same person?

Source: ArcFace (arXiv:1801.07698); pixel2style2pixel criteria/id_loss.py (crop and pooling).
"""

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.nn.irse import DEPTHS, WIDTHS, IRBody
from sfe_jax.ops.resize import adaptive_average_pool
from sfe_jax.perceptual.embedding_head import embed_map

FACE_ROWS = slice(35, 223)
"""Rows of an aligned 256x256 picture that hold the face."""

FACE_COLUMNS = slice(32, 220)
"""Columns of an aligned 256x256 picture that hold the face."""


class ArcFace(nn.Module):
    """Embeds faces on the unit sphere, where identity is the angle."""

    features: int = 512  # Size of the embedding.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage.
    squeeze_excitation: bool = True  # IR-SE or IR.
    input_size: int = 112  # Pixels a side that the body reads.

    @nn.compact
    def __call__(self, images: Array) -> Array:
        """Embeds aligned faces.

        Args:
            images: [N, 256, 256, 3] in [-1, 1]; the face is cropped and averaged to 112x112.

        Returns:
            [N, features], of unit length.
        """
        check_shape("images", images.shape, (None, 256, 256, 3))
        x = adaptive_average_pool(images[:, FACE_ROWS, FACE_COLUMNS], self.input_size)
        body = IRBody(self.depths, self.widths, self.squeeze_excitation, name="body")
        x = body(x)["coarse"]
        return embed_map(x, self.features, affine=True)


def identity_similarity(first: Array, second: Array) -> Array:
    """Cosine of the angle between embeddings: two [N, C] of unit length -> [N], 1 = same."""
    return jnp.sum(first * second, axis=1)
