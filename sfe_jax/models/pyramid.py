"""The feature pyramid of pSp and e4e: one style per row of W+, from the scale that suits it.

Source: pSp (arXiv:2008.00951), section 3.1; pixel2style2pixel models/encoders/psp_encoders.py.
"""

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.nn.equalized import EqualizedDense
from sfe_jax.nn.irse import DEPTHS, WIDTHS, IRBody
from sfe_jax.nn.residual import Conv
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.resize import resize_bilinear_aligned

COARSE_ROWS = 3
"""Rows of W+ read from the coarsest features."""

MIDDLE_ROWS = 7
"""Rows below this one, and not coarse, are read from the middle features; later ones from fine."""


class StyleHead(nn.Module):
    """map2style: convolutions of stride 2 down to one pixel, then a dense layer."""

    features: int = 512  # Size W of the style.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Reads a style: x [N, H, W, C] -> [N, features]."""
        index = 0
        while max(x.shape[1:3]) > 1:
            x = Conv(self.features, stride=2, use_bias=True, name=f"conv{index}")(x)
            # PyTorch's default slope, not StyleGAN's.
            x = bias_act(x, activation="lrelu", alpha=0.01, gain=1.0)
            index += 1
        return EqualizedDense(self.features, name="dense")(x[:, 0, 0])


class StylePyramid(nn.Module):
    """IR-SE body, top-down pathway and one head per row of W+."""

    num_styles: int = 18  # Rows L of W+.
    w_dim: int = 512  # Size W of a row.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the body.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage of the body.
    squeeze_excitation: bool = True  # IR-SE or IR.

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        """Reads one style per row: pictures [N, H, W, C] -> [N, L, W]."""
        # Features, top-down.
        body = IRBody(self.depths, self.widths, self.squeeze_excitation, name="body")
        features = body(images, train=train)
        coarse = features["coarse"]
        lateral = Conv(coarse.shape[-1], kernel_size=1, use_bias=True, name="lateral_middle")
        middle = lateral(features["middle"])
        middle = middle + resize_bilinear_aligned(coarse, (middle.shape[1], middle.shape[2]))
        lateral = Conv(coarse.shape[-1], kernel_size=1, use_bias=True, name="lateral_fine")
        fine = lateral(features["fine"])
        fine = fine + resize_bilinear_aligned(middle, (fine.shape[1], fine.shape[2]))

        # Styles.
        styles = []
        for row in range(self.num_styles):
            source = coarse if row < COARSE_ROWS else middle if row < MIDDLE_ROWS else fine
            styles.append(StyleHead(self.w_dim, name=f"style{row}")(source))
        return jnp.stack(styles, axis=1)
