"""What the generators of StyleGAN2 and StyleGAN3 have in common: how callers speak to them."""

from typing import Any

import flax.linen as nn

from sfe_jax.core.types import Array


class StyleGenerator(nn.Module):
    """A `mapping` network from z to W+ and a `synthesis` network from W+ to pictures."""

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
