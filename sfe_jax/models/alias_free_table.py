"""Layers of a StyleGAN3 generator: how bandwidth, sampling rate and size grow towards the picture.

Frequencies and rates are per width of the picture. Every map but the last two is wider than the
picture by a margin on each side, where the borders' artefacts stay.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.lowpass import lowpass, radial_lowpass

TAPS_PER_FACTOR = 6
"""Taps of a resampling filter for each unit of its factor; StyleGAN3, section 3.2."""

NONLINEARITY_UPSAMPLING = 2
"""Rate at which leaky ReLU runs, over that of its input or output; StyleGAN3, section 3.2."""


@dataclass(frozen=True)
class Growth:
    """What decides a generator's levels. The defaults are those of every published model."""

    resolution: int = 1024  # Pixels a side of the picture.
    num_layers: int = 14  # Layers before ToRGB.
    num_critical: int = 2  # Last layers that use the whole band.
    first_cutoff: float = 2.0  # Bandwidth of the Fourier input.
    first_stopband: float = 2**2.1  # Where the first filter stops at the latest.
    last_stopband: float = 2**0.3  # The same of the last, over half the resolution.
    margin: int = 10  # Pixels outside the picture, on each side.


class Level(NamedTuple):
    """How a feature map is sampled."""

    cutoff: float  # Its bandwidth.
    half_width: float  # Half the transition band of the filter that gave it.
    rate: int  # Samples per picture width.
    size: int  # Samples a side, with margins.


def levels(growth: Growth) -> tuple[Level, ...]:
    """One level per layer, ToRGB's last.

    Raises:
        ShapeError: If the resolution is no power of two of at least 16, or there are fewer layers
            than critical ones and one more.

    Source: StyleGAN3 (arXiv:2106.12423), section 3.2; stylegan3, training/networks_stylegan3.py.
    """
    size, count = growth.resolution, growth.num_layers
    if size < 16 or size & (size - 1):
        raise ShapeError(f"`resolution` is {size}; required is a power of two, at least 16")
    if count <= growth.num_critical:
        raise ShapeError(
            f"{count} layers, {growth.num_critical} of them critical; required is one more layer"
        )
    nyquist = size / 2
    done = np.minimum(np.arange(count + 1) / (count - growth.num_critical), 1)
    cutoffs = growth.first_cutoff * (nyquist / growth.first_cutoff) ** done
    last = nyquist * growth.last_stopband
    stopbands = growth.first_stopband * (last / growth.first_stopband) ** done
    rates = np.exp2(np.ceil(np.log2(np.minimum(2 * stopbands, size))))
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    sizes = rates + 2 * growth.margin
    sizes[-2:] = size
    rows = zip(cutoffs, half_widths, rates, sizes, strict=True)
    return tuple(Level(float(c), float(h), int(r), int(s)) for c, h, r, s in rows)


def alias_free_channels(
    growth: Growth, *, base: int = 32768, maximum: int = 512
) -> tuple[int, ...]:
    """Channels of each layer before ToRGB: min(base / 2 / cutoff, maximum), rounded.

    Args:
        growth: Of the generator.
        base: 32768 in configuration T, 65536 in R; half of it in those of 256x256.
        maximum: 512 in configuration T, 1024 in R.

    Source: stylegan3, training/networks_stylegan3.py (channel_base, channel_max).
    """
    cutoffs = np.array([level.cutoff for level in levels(growth)[:-1]])
    return tuple(int(c) for c in np.rint(np.minimum(base / 2 / cutoffs, maximum)))


@dataclass(frozen=True)
class AliasFreeLayer:
    """One modulated layer of StyleGAN3, and how its nonlinearity resamples."""

    index: int  # From 0 on; its row of W+ is one more.
    kind: Literal["conv", "torgb"]  # Convolution with leaky ReLU, or 1x1 to colours.
    in_channels: int  # Channels of its input, the size of its style.
    channels: int  # Channels of its output.
    offset: int  # Where its style begins in the concatenated S.
    source: Level  # Of its input.
    level: Level  # Of its output.
    kernel_size: int  # Taps a side of its convolution.
    radial: bool  # Whether its downsampling filter passes a disc.

    @property
    def name(self) -> str:
        """Such as "L0_36_512": index, size, channels."""
        return f"L{self.index}_{self.level.size}_{self.channels}"

    @property
    def row(self) -> int:
        """Row of W+ that drives it; row 0 drives the Fourier input."""
        return self.index + 1

    @property
    def resolution(self) -> int:
        """Pixels a side of its output, with margins."""
        return self.level.size

    @property
    def rate(self) -> int:
        """Samples per picture width at which its nonlinearity runs."""
        factor = 1 if self.kind == "torgb" else NONLINEARITY_UPSAMPLING
        return factor * max(self.source.rate, self.level.rate)

    @property
    def up(self) -> int:
        """Factor from its input to the nonlinearity."""
        return self.rate // self.source.rate

    @property
    def down(self) -> int:
        """Factor from the nonlinearity to its output."""
        return self.rate // self.level.rate

    @property
    def up_filter(self) -> np.ndarray | None:
        """Low-pass filter [n] after upsampling; None where nothing is resampled."""
        return self._filter(self.up, self.source, radial=False)

    @property
    def down_filter(self) -> np.ndarray | None:
        """Low-pass filter [n] or [n, n] before downsampling; None where nothing is resampled."""
        return self._filter(self.down, self.level, radial=self.radial)

    def _filter(self, factor: int, level: Level, *, radial: bool) -> np.ndarray | None:
        if factor == 1:
            return None
        design = radial_lowpass if radial else lowpass
        width = 2 * level.half_width
        return design(TAPS_PER_FACTOR * factor, cutoff=level.cutoff, width=width, rate=self.rate)

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Zeros around the upsampled map (x before, x after, y before, y after); negative crops.

        They centre the output on the input, to within half a sample of the higher rate.
        """
        taps = [TAPS_PER_FACTOR * factor if factor > 1 else 1 for factor in (self.up, self.down)]
        needed = (self.level.size - 1) * self.down + 1 + sum(taps) - 2
        total = needed - (self.source.size + self.kernel_size - 1) * self.up
        before = (total + self.up) // 2
        return (before, total - before, before, total - before)


def alias_free_layers(
    growth: Growth,
    channels: tuple[int, ...],
    *,
    kernel_size: int = 3,
    radial: bool = False,
    image_channels: int = 3,
) -> tuple[AliasFreeLayer, ...]:
    """The modulated layers of a StyleGAN3 generator in the order they run.

    Args:
        growth: Of the generator.
        channels: Of each layer before ToRGB; the Fourier input has as many as the first.
        kernel_size: 3 in configuration T, 1 in R.
        radial: Whether downsampling passes a disc of frequencies, as in R. Critical layers never.
        image_channels: Channels of the picture.

    Raises:
        ShapeError: If the number of channels is not that of the layers, or as `levels`.

    Source: StyleGAN3 (arXiv:2106.12423), section 3.2; stylegan3, training/networks_stylegan3.py.
    """
    if len(channels) != growth.num_layers:
        raise ShapeError(f"{len(channels)} `channels` for {growth.num_layers} layers; give each")
    steps = levels(growth)
    outputs = (*channels, image_channels)
    layers: list[AliasFreeLayer] = []
    for index, level in enumerate(steps):
        before = max(index - 1, 0)
        last = index == growth.num_layers
        layers.append(
            AliasFreeLayer(
                index=index,
                kind="torgb" if last else "conv",
                in_channels=outputs[before],
                channels=outputs[index],
                offset=sum(layer.in_channels for layer in layers),
                source=steps[before],
                level=level,
                kernel_size=1 if last else kernel_size,
                radial=radial and index < growth.num_layers - growth.num_critical,
            )
        )
    return tuple(layers)
