"""The mapping network of StyleGAN2: from z and a label to W+.

Source: StyleGAN (arXiv:1812.04948), section 2; stylegan2-ada-pytorch training/networks.py.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array
from sfe_jax.nn.equalized import EqualizedDense


def normalize_second_moment(x: Array) -> Array:
    """X divided by the root of its mean square over the last axis (eps 1e-8)."""
    return x * lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-8)


def truncate(ws: Array, w_avg: Array, *, psi: float | Array, cutoff: int | None = None) -> Array:
    """Pulls codes towards their average: w_avg + psi (w - w_avg).

    Args:
        ws: [N, L, W].
        w_avg: [W] or [L, W].
        psi: 1 keeps the codes, 0 gives the average, above 1 exaggerates.
        cutoff: Only rows below it are changed; None for all.

    Returns:
        [N, L, W].

    Source: StyleGAN (arXiv:1812.04948), appendix B.
    """
    center = jnp.broadcast_to(w_avg, ws.shape[1:])[None]
    truncated = center + psi * (ws - center)
    if cutoff is None:
        return truncated
    below = (jnp.arange(ws.shape[1]) < cutoff)[None, :, None]
    return jnp.where(below, truncated, ws)


class Mapping(nn.Module):
    """Mapping network: normalised z and embedded label through dense layers, in float32."""

    w_dim: int = 512  # Size W of the codes.
    z_dim: int = 512  # Size Z of the input; 0 for the label mapping of a discriminator.
    c_dim: int = 0  # Size of the label; 0 for none.
    num_ws: int | None = None  # Rows of W+; None returns [N, W], untracked and unrepeated.
    num_layers: int = 8  # Dense layers.
    layer_features: int | None = None  # Width of the hidden layers; None is `w_dim`.
    embed_features: int | None = None  # Width of the embedded label; None is `w_dim`.
    learning_rate_multiplier: float = 0.01  # Of the dense layers; the embedding has 1.

    @nn.compact
    def __call__(
        self,
        z: Array | None,
        c: Array | None = None,
        *,
        psi: float | Array = 1.0,
        cutoff: int | None = None,
    ) -> Array:
        """Maps to W+.

        Args:
            z: [N, Z], normally distributed; None if `z_dim` is 0.
            c: [N, c_dim], usually one-hot; may be None if `c_dim` is 0.
            psi: Truncation about the tracked average.
            cutoff: Rows below it are truncated; None for all.

        Returns:
            [N, L, W], or [N, W] if `num_ws` is None.

        Raises:
            ShapeError: If z or c is missing or of another size, or c is given without `c_dim`.
        """
        # Inputs.
        parts = []
        if self.z_dim:
            if z is None:
                raise ShapeError(f"`z` is None; required is [N, {self.z_dim}]")
            check_shape("z", z.shape, (None, self.z_dim))
            parts.append(normalize_second_moment(z.astype(jnp.float32)))
        if c is not None:
            check_shape("c", c.shape, (None, self.c_dim))
        if self.c_dim:
            if c is None:
                raise ShapeError(f"`c` is None; this network needs labels [N, {self.c_dim}]")
            embed = EqualizedDense(self.embed_features or self.w_dim, name="embed")
            parts.append(normalize_second_moment(embed(c.astype(jnp.float32))))
        x = jnp.concatenate(parts, axis=1)

        # Layers.
        for index in range(self.num_layers):
            last = index == self.num_layers - 1
            x = EqualizedDense(
                self.w_dim if last else self.layer_features or self.w_dim,
                learning_rate_multiplier=self.learning_rate_multiplier,
                activation="lrelu",
                name=f"dense{index}",
            )(x)
        if self.num_ws is None:
            return x

        # Truncation.
        w_avg = self.variable("buffers", "w_avg", jnp.zeros, (self.w_dim,)).value
        ws = jnp.repeat(x[:, None], self.num_ws, axis=1)
        untruncated = isinstance(psi, float | int) and psi == 1
        return ws if untruncated else truncate(ws, w_avg, psi=psi, cutoff=cutoff)
