"""A small network that knows procedural faces: attributes, identity, and how alike they look.

In the domain of procedural faces it stands where LPIPS, ArcFace and Inception stand for
photographs. It is trained by `training.features`.
"""

from typing import TypedDict

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.nn.equalized import EqualizedConv, EqualizedDense


class FaceReading(TypedDict):
    """What the network reads from a picture."""

    attributes: Array  # [N, A], in the order of `attribute_names`, in the units of the data.
    embedding: Array  # [N, E], of unit length: whose face it is.
    maps: tuple[Array, ...]  # [N, R/2^i, R/2^i, C_i], for perceptual distances.


class FaceFeatures(nn.Module):
    """Two convolutions per resolution, down to 4x4, and a head for each question."""

    attribute_names: tuple[str, ...]  # Names of the A attributes.
    channels: tuple[int, ...] = (16, 32, 64, 96, 128)  # At R, R/2, ..., 4.
    embedding_size: int = 64  # Size E of the embedding.
    image_channels: int = 3  # Channels of the pictures.

    @property
    def input_size(self) -> int:
        """R, pixels a side of the pictures."""
        return 2 << len(self.channels)

    @nn.compact
    def __call__(self, images: Array) -> FaceReading:
        """Reads pictures [N, R, R, C] in [-1, 1].

        Raises:
            ShapeError: If the pictures have another size.
        """
        size = self.input_size
        check_shape("images", images.shape, (None, size, size, self.image_channels))

        # Maps.
        x, maps = images, []
        for index, width in enumerate(self.channels):
            resample = "down" if index else "none"
            x = EqualizedConv(width, resample=resample, name=f"conv{index}_0")(x)
            x = EqualizedConv(width, name=f"conv{index}_1")(x)
            maps.append(x)

        # Heads.
        x = x.reshape(x.shape[0], -1)
        x = EqualizedDense(2 * self.channels[-1], activation="lrelu", name="dense")(x)
        attributes = EqualizedDense(len(self.attribute_names), name="attributes")(x)
        embedding = EqualizedDense(self.embedding_size, name="embedding")(x)
        length = jnp.sqrt(jnp.sum(jnp.square(embedding), axis=1, keepdims=True) + 1e-12)
        return {"attributes": attributes, "embedding": embedding / length, "maps": tuple(maps)}
