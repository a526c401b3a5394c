"""InsightFace's iResNet-50: another ArcFace, with whose weights SFE's Inverter begins to train.

Source: ArcFace (arXiv:1801.07698); InsightFace's recognition/arcface_torch/backbones/iresnet.py;
SFE (arXiv:2406.10601), section 3.2.
"""

import flax.linen as nn

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.nn.irse import DEPTHS, WIDTHS, iresnet_stages
from sfe_jax.perceptual.embedding_head import embed_map


class IResNet(nn.Module):
    """Embeds faces on the unit sphere, where identity is the angle."""

    features: int = 512  # Size of the embedding.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage.
    input_size: int = 112  # Pixels a side.

    @nn.compact
    def __call__(self, images: Array) -> Array:
        """Embeds faces.

        Args:
            images: [N, 112, 112, 3] in [-1, 1], from `curricular_face.crop_face`.

        Returns:
            [N, features], of unit length; the original leaves the length to its loss.

        Raises:
            ShapeError: If the pictures have another size.
        """
        check_shape("images", images.shape, (None, self.input_size, self.input_size, 3))
        strides = (2,) * len(self.depths)
        x = iresnet_stages(images, self.depths, self.widths, strides)[-1]
        return embed_map(x, self.features, affine=True)
