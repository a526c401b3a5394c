"""The Inverter of SFE: from a picture to W+ and a feature tensor.

Source: SFE (arXiv:2406.10601), section 3.2; Feature-Style encoder (arXiv:2202.02183), section 3.2;
StyleFeatureEditor models/psp/encoders.
"""

from typing import TypedDict

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.nn.irse import DEPTHS, WIDTHS, iresnet_stages
from sfe_jax.nn.residual import Dense, ResidualBranch
from sfe_jax.ops.resize import adaptive_average_pool

POOLED_SIZE = 3
"""Cells a side to which every stage is averaged before the style heads."""


class BackboneOutput(TypedDict):
    """What the backbone reads from a picture."""

    ws: Array  # [N, L, W], codes of W+.
    feature: Array  # [N, H/4, W/4, C], the predicted feature.


class FeatureStyleBackbone(nn.Module):
    """An iResNet-50 whose third stage keeps its resolution, with a content and L style heads.

    It adds the average code that its weights were trained with; it is zero until a converter or
    a trainer sets it.
    """

    num_styles: int = 18  # Rows L of W+.
    w_dim: int = 512  # Size W of a row.
    features: int = 512  # Channels C of the predicted feature.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage.
    strides: tuple[int, ...] = (2, 2, 1, 2)  # Stride of each stage's first unit.
    content_stage: int = 2  # Stage whose output the content branch reads.

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> BackboneOutput:
        """Reads pictures [N, 256, 256, 3] in [-1, 1]."""
        # Stages. Every stage begins with a projected shortcut, also where channels stay.
        stages = iresnet_stages(images, self.depths, self.widths, self.strides, train=train)

        # Content.
        content = ResidualBranch(self.features, name="content")
        feature = content(stages[self.content_stage], train=train)

        # Styles. The order C, H, W is that of the original weights.
        pooled = [adaptive_average_pool(stage, POOLED_SIZE) for stage in stages]
        pooled = jnp.concatenate(pooled, axis=-1).transpose(0, 3, 1, 2)
        pooled = pooled.reshape(pooled.shape[0], -1)
        heads = [Dense(self.w_dim, name=f"style{row}")(pooled) for row in range(self.num_styles)]
        average = self.variable("buffers", "w_avg", jnp.zeros, (self.num_styles, self.w_dim))
        ws = jnp.stack(heads, axis=1).astype(jnp.float32) + average.value[None]
        return {"ws": ws, "feature": feature}


class Inverter(nn.Module):
    """Backbone and fuser. Between them stands the generator, which the pipeline runs."""

    num_styles: int = 18  # Rows L of W+.
    w_dim: int = 512  # Size W of a row.
    features: int = 512  # Channels C of the feature.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the backbone.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage of the backbone.
    strides: tuple[int, ...] = (2, 2, 1, 2)  # Stride of each stage's first unit.
    num_units: int = 5  # Residual units of the fuser.
    image_channels: int = 3  # Channels of the pictures.
    input_size: int = 256  # Pixels a side that the backbone reads.

    def setup(self) -> None:
        """Declares the two networks."""
        self.backbone = FeatureStyleBackbone(
            self.num_styles, self.w_dim, self.features, self.depths, self.widths, self.strides
        )
        self.fuser = FeatureFuser(self.features, self.num_units)

    def predict(self, images: Array, *, train: bool = False) -> BackboneOutput:
        """Codes and feature predicted from pictures [N, 256, 256, 3] in [-1, 1]."""
        return self.backbone(images, train=train)

    def fuse(self, predicted: Array, own: Array, *, train: bool = False) -> Array:
        """Merges the predicted feature with the generator's own, both [N, H, W, C]."""
        return self.fuser(predicted, own, train=train)

    def __call__(self, images: Array, own: Array, *, train: bool = False) -> BackboneOutput:
        """Both steps, given the generator's own feature [N, H, W, C]; used to initialise."""
        predicted = self.predict(images, train=train)
        return {**predicted, "feature": self.fuse(predicted["feature"], own, train=train)}
