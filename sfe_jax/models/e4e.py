"""The e4e encoder: one code for all rows of W+, and an offset per row.

Source: e4e (arXiv:2102.02766), section 4.1; encoder4editing models/encoders/psp_encoders.py.
"""

import flax.linen as nn
import jax.numpy as jnp

from sfe_jax.core.types import Array
from sfe_jax.models.pyramid import StylePyramid
from sfe_jax.nn.irse import DEPTHS, WIDTHS


class E4eEncoder(nn.Module):
    """Codes near W: row i is w_0 + offset_i, offsets being learned stage by stage.

    It adds the average code that its weights were trained with; it is zero until a converter or
    a trainer sets it. Pictures of cars are wide, and lie in a square between bars: of their 256
    rows the original reads 32 to 223.
    """

    num_styles: int = 18  # Rows L of W+.
    w_dim: int = 512  # Size W of a row.
    image_channels: int = 3  # Channels of the pictures.
    input_size: int = 256  # Pixels a side that the encoder reads.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the body.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage of the body.
    squeeze_excitation: bool = True  # IR-SE or IR.
    rows: tuple[int, ...] | None = None  # First that is read, and the first that is not; None: all.

    @nn.compact
    def __call__(
        self, images: Array, *, stage: int | Array | None = None, train: bool = False
    ) -> Array:
        """Encodes pictures.

        Args:
            images: [N, 256, 256, C] in [-1, 1].
            stage: Offsets of rows 1 to `stage` are added; 0 gives one code for all rows, None
                adds all of them (inference).
            train: Whether to normalise by the batch.

        Returns:
            [N, L, W].
        """
        if self.rows:
            images = images[:, slice(*self.rows)]
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
        last = self.num_styles if stage is None else stage
        rows = jnp.arange(self.num_styles)
        active = ((rows > 0) & (rows <= last)).astype(styles.dtype)
        ws = styles[:, :1] + styles * active[None, :, None]
        return ws.astype(jnp.float32) + average.value[None]
