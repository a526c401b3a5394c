"""The StyleGAN3 generator: an alias-free synthesis that moves with its input's coordinates.

Configuration T follows translations, R also rotations. They differ in fields alone:

    T: Generator(channels=alias_free_channels(Growth(1024)))
    R: Generator(channels=alias_free_channels(Growth(1024), base=65536, maximum=1024),
                 kernel_size=1, radial=True)

Source: StyleGAN3 (arXiv:2106.12423); stylegan3, training/networks_stylegan3.py.
"""

import math
from collections.abc import Mapping as MappingType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array
from sfe_jax.models.alias_free_table import (
    AliasFreeLayer,
    Growth,
    Level,
    alias_free_layers,
)
from sfe_jax.models.generator import StyleGenerator
from sfe_jax.models.mapping import Mapping
from sfe_jax.models.stylegan2 import NoiseMode, SynthesisOutput
from sfe_jax.nn.equalized import EqualizedDense
from sfe_jax.nn.parametric import ParametricModule
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.convolution import convolve
from sfe_jax.ops.filtered_lrelu import filtered_lrelu
from sfe_jax.ops.modulated_conv import modulated_conv

FFHQ_T_CHANNELS = (*(512,) * 7, 323, 203, 128, 81, 51, 32, 32)
"""Channels of stylegan3-t-ffhq-1024x1024, layer by layer."""


def picture_transform(*, x: float = 0.0, y: float = 0.0, degrees: float = 0.0) -> np.ndarray:
    """The input transform under which a picture appears moved.

    Args:
        x: Shift to the right, in widths of the picture.
        y: Shift downwards, likewise.
        degrees: Rotation about the centre, anticlockwise; before the shift.

    Returns:
        float32 [3, 3], the inverse of the movement.

    Source: stylegan3, gen_images.py (make_transform).
    """
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    moved = np.array([[cos, sin, x], [-sin, cos, y], [0, 0, 1]])
    return np.linalg.inv(moved).astype(np.float32)


def _code_transform(code: Array) -> Array:
    """Rotation and shift [N, 3, 3] that four numbers [N, 4] ask for: cosine, sine, x and y.

    All four are divided by the norm of the first two, which makes these a rotation.
    """
    code = code / jnp.linalg.norm(code[:, :2], axis=1, keepdims=True)
    cos, sin, x, y = code.T
    zero, one = jnp.zeros_like(cos), jnp.ones_like(cos)
    rotation = jnp.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], axis=1)
    shift = jnp.stack([one, zero, -x, zero, one, -y, zero, zero, one], axis=1)
    return _product(rotation.reshape(-1, 3, 3), shift.reshape(-1, 3, 3))


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)


class FourierInput(ParametricModule):
    """Waves over the picture's plane, mixed by a matrix. Output [N, S, S, channels], float32."""

    level: Level  # Size, rate and bandwidth.
    channels: int  # Waves, and channels of the output.
    w_dim: int  # Size W of the codes.

    def setup(self) -> None:
        """Declares the waves, their mixture and the affine layer of the transform."""
        identity = lambda *_: jnp.asarray([1.0, 0.0, 0.0, 0.0])  # noqa: E731
        self.kernel = self.param("kernel", nn.initializers.normal(1.0), (self.channels,) * 2)
        self.affine_kernel = self.param("affine_kernel", nn.initializers.zeros, (self.w_dim, 4))
        self.affine_bias = self.param("affine_bias", identity, (4,))
        self.transform = self.variable("buffers", "transform", jnp.eye, 3)
        self.freqs = self.variable("buffers", "freqs", self._draw_freqs)
        self.phases = self.variable("buffers", "phases", self._draw_phases)

    def _draw_freqs(self) -> Array:
        """Frequencies [C, 2], evenly over the disc of the bandwidth."""
        directions = jax.random.normal(self.make_rng("params"), (self.channels, 2))
        radii = jnp.linalg.norm(directions, axis=1, keepdims=True)
        return directions / (radii * jnp.exp(jnp.square(radii) / 4)) * self.level.cutoff

    def _draw_phases(self) -> Array:
        """Phases [C], in turns."""
        return jax.random.uniform(self.make_rng("params"), (self.channels,)) - 0.5

    def style(self, w: Array) -> Array:
        """Transform that a code asks for: w [N, W] -> [N, 4], cosine, sine, x and y."""
        return _product(w, self.affine_kernel / math.sqrt(self.w_dim)) + self.affine_bias[None]

    def __call__(self, style: Array, transform: Array | None = None) -> Array:
        """Draws the waves.

        Args:
            style: [N, 4], from `style`.
            transform: [3, 3] or [N, 3, 3], such as `picture_transform` gives; None for the stored.

        Returns:
            [N, S, S, C], float32.

        Source: StyleGAN3 (arXiv:2106.12423), section 3.1 and appendix F.
        """
        level = self.level
        transform = self.transform.value if transform is None else transform
        transform = jnp.broadcast_to(transform, (style.shape[0], 3, 3))

        # Waves as the transform leaves them; those beyond the band fade out.
        plane = _product(_code_transform(style), transform)[:, :2]  # [N, 2, 3].
        moved = _product(self.freqs.value[None], plane)  # [N, C, 3].
        freqs, phases = moved[..., :2], moved[..., 2] + self.phases.value[None]
        beyond = jnp.linalg.norm(freqs, axis=2) - level.cutoff
        amplitudes = jnp.clip(1 - beyond / (level.rate / 2 - level.cutoff), 0, 1)

        # Samples.
        grid = (np.arange(level.size) + 0.5 - level.size / 2) / level.rate
        grid = jnp.asarray(grid, jnp.float32)
        across = freqs[:, None, None, :, 0] * grid[None, None, :, None]
        down = freqs[:, None, None, :, 1] * grid[None, :, None, None]
        waves = jnp.sin(2 * math.pi * (across + down + phases[:, None, None]))
        return _product(waves * amplitudes[:, None, None], self.kernel / math.sqrt(self.channels))


def _unit_power(x: Array, axes: tuple[int, ...]) -> Array:
    return x * lax.rsqrt(jnp.mean(jnp.square(x), axis=axes, keepdims=True))


def _widening_convolve(x: Array, kernel: Array) -> Array:
    """Convolution that keeps every output with any input: [N, H, W, I] -> [N, H+k-1, W+k-1, O]."""
    sides = (kernel.shape[0] // 2,) * 2
    return convolve(jnp.pad(x, ((0, 0), sides, sides, (0, 0))), kernel)


class AliasFreeConv(ParametricModule):
    """Modulated convolution and filtered leaky ReLU; for "torgb" modulated and linear.

    Input [N, H, W, in_channels], output [N, size, size, channels].
    """

    layer: AliasFreeLayer  # Name, sizes, row and filters.
    w_dim: int  # Size W of the codes.
    clamp: float | None  # Bound of the activations. None = no bound.

    def setup(self) -> None:
        """Declares the affine layer, the parameters and the tracked magnitude."""
        layer = self.layer
        shape = (layer.kernel_size, layer.kernel_size, layer.in_channels, layer.channels)
        self.affine = EqualizedDense(layer.in_channels, bias_init=1.0)
        self.kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        self.bias = self.param("bias", nn.initializers.zeros, (layer.channels,))
        self.magnitude_ema = self.variable("buffers", "magnitude_ema", jnp.ones, ())

    def style(self, w: Array) -> Array:
        """Style of the layer: w [N, W] -> [N, in_channels]."""
        return self.affine(w)

    def _input_gain(self, x: Array, decay: float | Array | None) -> Array:
        """One over the root of the tracked mean square of the input; tracks it if asked."""
        if decay is not None:
            current = jnp.mean(jnp.square(lax.stop_gradient(x).astype(jnp.float32)))
            self.magnitude_ema.value = current + decay * (self.magnitude_ema.value - current)
        return lax.rsqrt(self.magnitude_ema.value)

    def _to_colours(self, x: Array, style: Array, gain: Array) -> Array:
        style = style * (gain / math.sqrt(self.layer.in_channels))
        y = modulated_conv(x, self.kernel, style, demodulate=False)
        return bias_act(y, self.bias.astype(y.dtype), activation="linear", clamp=self.clamp)

    def __call__(
        self, x: Array, style: Array, *, magnitude_decay: float | Array | None = None
    ) -> Array:
        """Applies the layer to x [N, H, W, I] under style [N, I].

        The original gives the styles of a whole batch unit power, we those of each sample: a
        factor that the demodulation takes out again, and no sample looks at another.
        """
        layer = self.layer
        gain = self._input_gain(x, magnitude_decay)
        if layer.kind == "torgb":
            return self._to_colours(x, style, gain)
        kernel, style = _unit_power(self.kernel, (0, 1, 2)), _unit_power(style, (1,))
        y = modulated_conv(x, kernel, style, convolution=_widening_convolve)
        return filtered_lrelu(
            y * gain.astype(y.dtype),
            self.bias.astype(y.dtype),
            up_filter=layer.up_filter,
            down_filter=layer.down_filter,
            up=layer.up,
            down=layer.down,
            padding=layer.padding,
            clamp=self.clamp,
        )


class Synthesis(nn.Module):
    """Synthesis network: W+ or styles to a picture."""

    layers: tuple[AliasFreeLayer, ...]  # In the order they run.
    w_dim: int = 512  # Size W of the codes.
    output_scale: float = 0.25  # Factor of the picture.
    conv_clamp: float | None = 256.0  # Bound of every layer's activations. None = no bound.
    precision: Precision = "float32"  # Of the activations.

    def setup(self) -> None:
        """Declares the input and one module per layer.

        Raises:
            OptionError: If the precision is unknown.
        """
        check_choice("precision", self.precision, Precision)
        first = self.layers[0]
        self.input = FourierInput(first.source, first.in_channels, self.w_dim)
        for layer in self.layers:
            setattr(self, layer.name, AliasFreeConv(layer, self.w_dim, self.conv_clamp))

    def styles(self, ws: Array) -> dict[str, Array]:
        """Codes of StyleSpace: ws [N, L, W] -> "input" -> [N, 4], layer -> [N, in_channels]."""
        check_shape("ws", ws.shape, (None, len(self.layers) + 1, self.w_dim))
        ws = ws.astype(jnp.float32)
        styles = {
            layer.name: getattr(self, layer.name).style(ws[:, layer.row]) for layer in self.layers
        }
        return {"input": self.input.style(ws[:, 0]), **styles}

    def __call__(
        self,
        ws: Array | None = None,
        *,
        styles: MappingType[str, Array] | None = None,
        transform: Array | None = None,
        noise_mode: NoiseMode = "const",
        magnitude_decay: float | Array | None = None,
    ) -> SynthesisOutput:
        """Synthesises pictures.

        Args:
            ws: [N, L, W], or None if `styles` is given.
            styles: Codes of StyleSpace instead of `ws`, as `styles` gives.
            transform: Of the input, [3, 3] or [N, 3, 3], such as `picture_transform` gives; None
                for the stored one.
            noise_mode: Taken for the sake of StyleGAN2's callers; this network has no noise.
            magnitude_decay: Weight of the old mean squares of the layers' inputs, which are moved;
                the collection "buffers" must be mutable then. None leaves them.

        Returns:
            The picture, and the features of every layer before ToRGB, with their margins.

        Raises:
            ShapeError: If a code does not fit.
            OptionError: If the noise mode is unknown.
        """
        check_choice("noise_mode", noise_mode, NoiseMode)
        if styles is None:
            if ws is None:
                raise ShapeError("`ws` is None; required is W+ or `styles`")
            styles = self.styles(ws)
        needed = ["input", *(layer.name for layer in self.layers)]
        if missing := [name for name in needed if name not in styles]:
            raise ShapeError(f"`styles` lacks {missing[0]!r}; required are {', '.join(needed)}")
        x = self.input(styles["input"], transform).astype(self.precision)
        features = {}
        for layer in self.layers:
            module = getattr(self, layer.name)
            x = module(x, styles[layer.name], magnitude_decay=magnitude_decay)
            features[layer.name] = x
        image = features.pop(self.layers[-1].name).astype(jnp.float32) * self.output_scale
        return {"image": image, "features": features}


class Generator(StyleGenerator):
    """Mapping and synthesis network of StyleGAN3; the fields describe any model of it."""

    channels: tuple[int, ...] = FFHQ_T_CHANNELS  # Of each layer before ToRGB.
    resolution: int = 1024  # Pixels a side of the picture.
    z_dim: int = 512  # Size Z of the input.
    c_dim: int = 0  # Size of the label; 0 for none.
    w_dim: int = 512  # Size W of the codes.
    image_channels: int = 3  # Channels of the picture.
    kernel_size: int = 3  # Of the convolutions: 3 in configuration T, 1 in R.
    radial: bool = False  # Whether downsampling treats all directions alike, as in R.
    mapping_layers: int = 2  # Dense layers of the mapping network.
    mapping_features: int | None = None  # Width of its hidden layers; None is `w_dim`.
    embed_features: int | None = None  # Width of its embedded label; None is `w_dim`.
    num_critical: int = 2  # Last layers before ToRGB that use the whole band.
    first_cutoff: float = Growth.first_cutoff  # See `Growth`.
    first_stopband: float = Growth.first_stopband  # See `Growth`.
    last_stopband: float = Growth.last_stopband  # See `Growth`.
    margin: int = 10  # Pixels around the picture that layers also compute.
    output_scale: float = 0.25  # Factor of the picture.
    conv_clamp: float | None = 256.0  # Bound of every layer's activations. None = no bound.
    precision: Precision = "float32"  # Of the activations.

    def setup(self) -> None:
        """Declares the two networks."""
        self.mapping = Mapping(
            w_dim=self.w_dim,
            z_dim=self.z_dim,
            c_dim=self.c_dim,
            num_ws=self.num_ws,
            num_layers=self.mapping_layers,
            layer_features=self.mapping_features,
            embed_features=self.embed_features,
        )
        self.synthesis = Synthesis(
            layers=self.layers,
            w_dim=self.w_dim,
            output_scale=self.output_scale,
            conv_clamp=self.conv_clamp,
            precision=self.precision,
        )

    @property
    def num_ws(self) -> int:
        """Rows L of W+: one for the input, one per layer; 16 in every published model."""
        return len(self.channels) + 2

    @property
    def growth(self) -> Growth:
        """How bandwidth, rate and size grow."""
        return Growth(
            resolution=self.resolution,
            num_layers=len(self.channels),
            num_critical=self.num_critical,
            first_cutoff=self.first_cutoff,
            first_stopband=self.first_stopband,
            last_stopband=self.last_stopband,
            margin=self.margin,
        )

    @property
    def layers(self) -> tuple[AliasFreeLayer, ...]:
        """The modulated layers in the order they run."""
        return alias_free_layers(
            self.growth,
            self.channels,
            kernel_size=self.kernel_size,
            radial=self.radial,
            image_channels=self.image_channels,
        )

    @property
    def code_sizes(self) -> dict[str, Any]:
        """Sizes of W+ and StyleSpace, in which the input's transform is a layer too."""
        sizes = super().code_sizes
        return {**sizes, "style_channels": {"input": 4, **sizes["style_channels"]}}
