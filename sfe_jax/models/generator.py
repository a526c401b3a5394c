"""What the generators of StyleGAN 1, 2 and 3 have in common: how callers speak to them."""

from typing import Any

import flax.linen as nn

from sfe_jax.core.types import Array


class StyleGenerator(nn.Module):
    """A `mapping` network from z to W+ and a `synthesis` network from W+ to pictures."""

    @property
    def code_sizes(self) -> dict[str, Any]:
        """Sizes of W+ and StyleSpace: keyword arguments of `edits.operands.identity`."""
        return {
            "num_ws": self.num_ws,
            "w_dim": self.w_dim,
            "style_channels": {layer.name: layer.in_channels for layer in self.layers},
        }

    def map(self, z: Array, c: Array | None = None, **options) -> Array:
        """Codes W+ [N, L, W] of z [N, Z]; arguments of `Mapping.__call__`."""
        return self.mapping(z, c, **options)

    def styles(self, ws: Array) -> dict[str, Array]:
        """Codes of StyleSpace: ws [N, L, W] -> layer name -> [N, in_channels].

        StyleGAN3 has those of its Fourier input too, "input" -> [N, 4].
        """
        return self.synthesis.styles(ws)

    def synthesize(self, ws: Array | None = None, **options) -> Any:
        """Pictures and features of W+ or styles; arguments of the synthesis network's call."""
        return self.synthesis(ws, **options)

    def __call__(
        self,
        z: Array,
        c: Array | None = None,
        *,
        psi: float | Array = 1.0,
        cutoff: int | None = None,
        **options,
    ) -> Array:
        """Generates pictures.

        Args:
            z: [N, Z], normally distributed.
            c: [N, c_dim] labels, or None.
            psi: Truncation; 1 for none.
            cutoff: Rows below it are truncated; None for all.
            **options: Of the synthesis network's call.

        Returns:
            [N, R, R, 3], float32, nominally in [-1, 1].
        """
        ws = self.mapping(z, c, psi=psi, cutoff=cutoff)
        return self.synthesis(ws, **options)["image"]
