"""What a recipe says of a StyleGAN3 generator, beside what all generators have."""

from dataclasses import dataclass
from typing import Any

from sfe_jax.models.alias_free_table import Growth, alias_free_channels
from sfe_jax.models.stylegan3 import Generator


@dataclass
class AliasFreeOptions:
    """How a StyleGAN3 generator grows. Defaults are configuration T."""

    num_layers: int = 14  # Before ToRGB; W+ has two rows more.
    num_critical: int = 2  # Of these the last, which use the whole band.
    margin: int = 10  # Pixels around the picture that layers also compute.
    kernel_size: int = 3  # Of the convolutions; 1 in configuration R.
    radial: bool = False  # Whether downsampling treats all directions alike, as in R.
    widening: int = 1  # Channels over those that StyleGAN2 would have; 2 in R.

    def build(self, *, resolution: int, base: int, maximum: int, **shared: Any) -> Generator:
        """The generator.

        Args:
            resolution: Pixels a side.
            base: Channels of a bandwidth b: min(widening base / 2 b, widening maximum).
            maximum: See `base`.
            **shared: Other fields of the generator.
        """
        growth = Growth(resolution, self.num_layers, self.num_critical, margin=self.margin)
        channels = alias_free_channels(
            growth, base=self.widening * base, maximum=self.widening * maximum
        )
        return Generator(
            channels=channels,
            resolution=resolution,
            num_critical=self.num_critical,
            margin=self.margin,
            kernel_size=self.kernel_size,
            radial=self.radial,
            **shared,
        )
