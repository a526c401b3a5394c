"""The encoders of pSp: gradual styles, W, and naive W+.

Each adds the average code that its weights were trained with; it is zero until a converter or a
trainer sets it.

Source: pSp (arXiv:2008.00951), sections 3.1 and 4.1; pixel2style2pixel models/psp.py and
models/encoders/psp_encoders.py.
"""

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.models.pyramid import StylePyramid
from sfe_jax.nn.equalized import EqualizedDense
from sfe_jax.nn.irse import DEPTHS, WIDTHS, IRBody
from sfe_jax.nn.residual import BatchNorm, Dense
from sfe_jax.ops.resize import adaptive_average_pool


class GradualStyleEncoder(nn.Module):
    """pSp's feature pyramid encoder: one style per row of W+."""

    num_styles: int = 18  # Rows L of W+.
    w_dim: int = 512  # Size W of a row.
    image_channels: int = 3  # 3 for pictures, 1 for sketches, n for one-hot label maps.
    input_size: int = 256  # Pixels a side that the encoder reads.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the body.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage of the body.
    squeeze_excitation: bool = True  # IR-SE or IR.

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        """Encodes pictures [N, 256, 256, C] in [-1, 1] to codes [N, L, W]."""
        average = self.variable("buffers", "w_avg", jnp.zeros, (self.num_styles, self.w_dim))
        pyramid = StylePyramid(
            self.num_styles,
            self.w_dim,
            self.depths,
            self.widths,
            self.squeeze_excitation,
            name="pyramid",
        )
        styles = pyramid(images, train=train)
        return styles.astype(jnp.float32) + average.value[None]


class WEncoder(nn.Module):
    """One code of W from the mean of the last features."""

    w_dim: int = 512  # Size W of the code.
    image_channels: int = 3  # Channels of the pictures.
    input_size: int = 256  # Pixels a side that the encoder reads.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the body.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage of the body.
    squeeze_excitation: bool = True  # IR-SE or IR.

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        """Encodes pictures [N, 256, 256, C] in [-1, 1] to codes [N, W]."""
        average = self.variable("buffers", "w_avg", jnp.zeros, (self.w_dim,))
        body = IRBody(self.depths, self.widths, self.squeeze_excitation, name="body")
        x = jnp.mean(body(images, train=train)["coarse"], axis=(1, 2))
        w = EqualizedDense(self.w_dim, name="dense")(x)
        return w.astype(jnp.float32) + average.value[None]


class WPlusEncoder(nn.Module):
    """All rows of W+ from the last features alone: the baseline of the paper."""

    num_styles: int = 18  # Rows L of W+.
    w_dim: int = 512  # Size W of a row.
    image_channels: int = 3  # Channels of the pictures.
    input_size: int = 256  # Pixels a side that the encoder reads.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the body.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage of the body.
    squeeze_excitation: bool = True  # IR-SE or IR.

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        """Encodes pictures [N, 256, 256, C] in [-1, 1] to codes [N, L, W]."""
        average = self.variable("buffers", "w_avg", jnp.zeros, (self.num_styles, self.w_dim))
        body = IRBody(self.depths, self.widths, self.squeeze_excitation, name="body")
        x = body(images, train=train)["coarse"]
        x = BatchNorm(use_running_average=not train, dtype=x.dtype, name="norm")(x)
        x = adaptive_average_pool(x, 7)
        x = x.reshape(x.shape[0], -1)  # Order H, W, C; the converter permutes C, H, W.
        x = Dense(self.w_dim, name="hidden")(x)
        x = EqualizedDense(self.num_styles * self.w_dim, name="dense")(x)
        styles = x.reshape(-1, self.num_styles, self.w_dim)
        return styles.astype(jnp.float32) + average.value[None]
