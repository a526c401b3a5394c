"""The StyleGAN generator: styles set mean and deviation of every map, and pictures grow by heads.

Weights that enter a leaky ReLU carry its gain sqrt(2) themselves, so biases are not multiplied by
it, unlike those of StyleGAN2. Colours have no styles, and each resolution has its own head: while a
network grows, the picture comes from a coarse head, or fades from one to the next.

Source: StyleGAN (arXiv:1812.04948); NVlabs/stylegan, training/networks_stylegan.py.
"""

import math
from collections.abc import Mapping as MappingType
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import OptionError, ShapeError
from sfe_jax.core.precision import product_precision
from sfe_jax.core.types import Array
from sfe_jax.models.generator import StyleGenerator
from sfe_jax.models.layer_table import Layer
from sfe_jax.models.mapping import normalize_second_moment, truncate
from sfe_jax.models.stylegan2 import NoiseMode, SynthesisOutput
from sfe_jax.nn.equalized import EqualizedConv, EqualizedDense
from sfe_jax.nn.parametric import ParametricModule
from sfe_jax.ops.bias_act import bias_act
from sfe_jax.ops.convolution import convolve, transposed_convolve
from sfe_jax.ops.upfirdn2d import filter2d, setup_filter, upfirdn2d

FFHQ_CHANNELS = (512, 512, 512, 512, 256, 128, 64, 32, 16)
"""Channels at 4, 8, ..., 1024, those of ProGAN (arXiv:1710.10196), table 2."""

BLUR_FILTER = setup_filter([1, 2, 1])
"""Low-pass filter behind every upsampling, [3, 3], sum 1; StyleGAN, section 2."""

TWICE = np.ones((2, 2), np.float32)
"""Filter that writes every pixel twice along each axis."""

LEARNING_RATE_MULTIPLIER = 0.01
"""Of the mapping network; StyleGAN (arXiv:1812.04948), appendix C."""


def upsample_nearest(x: Array, factor: int) -> Array:
    """Repeats every pixel: [N, H, W, C] -> [N, H factor, W factor, C]."""
    return jnp.repeat(jnp.repeat(x, factor, axis=1), factor, axis=2)


def upsample_convolve(x: Array, kernel: Array) -> Array:
    """Writes every pixel twice along each axis, convolves, and blurs.

    The doubling is a filter of two taps behind inserted zeros. Filters may change places, so the
    kernel meets the map before it is doubled, at a quarter of the products.

    Args:
        x: [N, H, W, I].
        kernel: [3, 3, I, O], as it meets the doubled map.

    Returns:
        [N, 2H, 2W, O].
    """
    y = upfirdn2d(transposed_convolve(x, kernel[::-1, ::-1]), TWICE)
    return filter2d(y, BLUR_FILTER)


def normalize_instance(x: Array) -> Array:
    """Every map of x [N, H, W, C] with mean 0 and mean square 1 (eps 1e-8), in float32."""
    y = x.astype(jnp.float32)
    y = y - jnp.mean(y, axis=(1, 2), keepdims=True)
    y = y * lax.rsqrt(jnp.mean(jnp.square(y), axis=(1, 2), keepdims=True) + 1e-8)
    return y.astype(x.dtype)


def adain(x: Array, style: Array) -> Array:
    """Adaptive instance normalisation: x* = (1 + scale) norm(x) + shift.

    Args:
        x: [N, H, W, C].
        style: [N, 2C]: what is added to a scale of 1, then the shift.

    Returns:
        [N, H, W, C], dtype of `x`.

    Source: StyleGAN (arXiv:1812.04948), equation 1.
    """
    scale, shift = jnp.split(style.astype(x.dtype)[:, None, None], 2, axis=-1)
    return normalize_instance(x) * (scale + 1) + shift


def adain_layers(channels: Sequence[int]) -> tuple[Layer, ...]:
    """The layers that have a style, in the order they run: two of each resolution.

    Their `in_channels` is the size of the style, a scale and a shift per channel of the output. The
    first is the learned constant; names are those of StyleGAN2 otherwise.

    Args:
        channels: Channels at 4, 8, ..., the resolution.
    """
    layers: list[Layer] = []
    for index, width in enumerate(channels):
        for part in ("conv0" if index else "const", "conv1"):
            offset = layers[-1].offset + layers[-1].in_channels if layers else 0
            resolution = 4 << index
            name = f"b{resolution}.{part}"
            layers.append(Layer(name, "conv", resolution, 2 * width, width, len(layers), offset))
    return tuple(layers)


class MappingDense(ParametricModule):
    """Dense layer of the mapping network: lrelu(x W sqrt(2) lr / sqrt(in) + b lr)."""

    features: int  # Output size.

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layer to x [N, I]."""
        rate, fan_in = LEARNING_RATE_MULTIPLIER, x.shape[-1]
        kernel = self.param("kernel", nn.initializers.normal(1 / rate), (fan_in, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        kernel = kernel * (rate * math.sqrt(2 / fan_in))
        y = jnp.matmul(x, kernel, precision=product_precision(x.dtype))
        return bias_act(y, bias * rate, activation="lrelu", gain=1.0)


class LabelConcat(ParametricModule):
    """Appends a learned vector per class: z [N, Z], c [N, C] -> [N, 2Z]."""

    @nn.compact
    def __call__(self, z: Array, c: Array) -> Array:
        """Appends the label's vector to z."""
        shape = (c.shape[1], z.shape[1])
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        y = jnp.matmul(c, kernel, precision=product_precision(c.dtype))
        return jnp.concatenate([z, y], axis=1)


class Mapping(nn.Module):
    """Mapping network: z, and a vector of the label if conditional, normalised together."""

    num_ws: int  # Rows of W+.
    w_dim: int = 512  # Size W of the codes.
    z_dim: int = 512  # Size Z of the input.
    c_dim: int = 0  # Size of the label; 0 for none.
    num_layers: int = 8  # Dense layers.
    layer_features: int | None = None  # Width of the hidden layers; None is `w_dim`.

    @nn.compact
    def __call__(
        self,
        z: Array,
        c: Array | None = None,
        *,
        psi: float | Array = 1.0,
        cutoff: int | None = None,
    ) -> Array:
        """Maps to W+, in float32.

        Args:
            z: [N, Z], normally distributed.
            c: [N, c_dim], one-hot; may be None if `c_dim` is 0.
            psi: Truncation about the average code; the original shows 0.7 on 8 rows.
            cutoff: Rows below it are truncated; None for all.

        Returns:
            [N, L, W].

        Raises:
            ShapeError: If z or c is missing or of another size, or c is given without `c_dim`.
        """
        check_shape("z", z.shape, (None, self.z_dim))
        x = z.astype(jnp.float32)
        if c is not None:
            check_shape("c", c.shape, (z.shape[0], self.c_dim))
        if self.c_dim:
            if c is None:
                raise ShapeError(f"`c` is None; this network needs labels [N, {self.c_dim}]")
            x = LabelConcat(name="label")(x, c.astype(jnp.float32))
        x = normalize_second_moment(x)
        for index in range(self.num_layers):
            last = index == self.num_layers - 1
            features = self.w_dim if last else self.layer_features or self.w_dim
            x = MappingDense(features, name=f"dense{index}")(x)
        w_avg = self.variable("buffers", "w_avg", jnp.zeros, (self.w_dim,)).value
        ws = jnp.repeat(x[:, None], self.num_ws, axis=1)
        untruncated = isinstance(psi, float | int) and psi == 1
        return ws if untruncated else truncate(ws, w_avg, psi=psi, cutoff=cutoff)


class AdaInLayer(ParametricModule):
    """What follows every map: noise, bias, leaky ReLU, and its style."""

    layer: Layer  # Name, sizes and row.
    use_noise: bool = True  # Whether noise is added.

    def setup(self) -> None:
        """Declares the affine layer and the parameters."""
        width, size = self.layer.channels, self.layer.resolution
        self.affine = EqualizedDense(self.layer.in_channels)
        self.bias = self.param("bias", nn.initializers.zeros, (width,))
        if self.use_noise:
            self.noise_strength = self.param("noise_strength", nn.initializers.zeros, (width,))
            self.noise_const = self.variable("buffers", "noise_const", self._draw, (size, size))

    def _draw(self, size: tuple[int, int]) -> Array:
        return jax.random.normal(self.make_rng("params"), size)

    def style(self, w: Array) -> Array:
        """Style of the layer: w [N, W] -> [N, 2 channels]."""
        return self.affine(w)

    def _noise(self, x: Array, mode: NoiseMode) -> Array:
        """Noise of the layer, [1 or N, r, r, C]."""
        if mode == "const":
            noise = self.noise_const.value[None, :, :, None]
        else:
            noise = jax.random.normal(self.make_rng("noise"), (*x.shape[:3], 1))
        return (noise * self.noise_strength[None, None, None]).astype(x.dtype)

    def finish(self, x: Array, style: Array, noise_mode: NoiseMode) -> Array:
        """The layer's output [N, r, r, C] from what its convolution gave."""
        if self.use_noise and noise_mode != "none":
            x = x + self._noise(x, noise_mode)
        x = bias_act(x, self.bias.astype(x.dtype), activation="lrelu", gain=1.0)
        return adain(x, style)


class AdaInConst(AdaInLayer):
    """The learned constant with which every picture begins. Output [N, 4, 4, channels]."""

    def setup(self) -> None:
        """Declares the constant beside the rest."""
        super().setup()
        self.const = self.param("const", nn.initializers.ones, (4, 4, self.layer.channels))

    def __call__(
        self, style: Array, *, noise_mode: NoiseMode = "const", dtype: str = "float32"
    ) -> Array:
        """The constant under every style [N, 2 channels]."""
        x = jnp.repeat(self.const.astype(dtype)[None], style.shape[0], axis=0)
        return self.finish(x, style, noise_mode)


class AdaInConv(AdaInLayer):
    """3x3 convolution, for "conv0" of the doubled map. Output [N, r, r, channels]."""

    fan_in: int = 0  # Channels that it reads.

    def setup(self) -> None:
        """Declares the kernel beside the rest."""
        super().setup()
        shape = (3, 3, self.fan_in, self.layer.channels)
        self.kernel = self.param("kernel", nn.initializers.normal(1.0), shape)

    def __call__(self, x: Array, style: Array, *, noise_mode: NoiseMode = "const") -> Array:
        """Applies the layer to x [N, H, W, I] under style [N, 2 channels]."""
        convolution = upsample_convolve if self.layer.part == "conv0" else convolve
        kernel = (self.kernel * math.sqrt(2 / (9 * self.fan_in))).astype(x.dtype)
        return self.finish(convolution(x, kernel), style, noise_mode)


class SynthesisBlock(nn.Module):
    """The two layers of one resolution by the parts of their names, and its head `torgb`."""

    layers: tuple[Layer, ...]  # Of this block.
    fan_in: int  # Channels of the map that enters.
    image_channels: int  # Channels of the picture.
    use_noise: bool  # Whether noise is added.

    def setup(self) -> None:
        """Declares the layers and the head."""
        first, second = self.layers
        if first.part == "const":
            self.const = AdaInConst(first, self.use_noise)
        else:
            self.conv0 = AdaInConv(first, self.use_noise, self.fan_in)
        self.conv1 = AdaInConv(second, self.use_noise, first.channels)
        self.torgb = EqualizedConv(self.image_channels, kernel_size=1, activation="linear")


class Synthesis(nn.Module):
    """Synthesis network: W+ or styles to a picture."""

    channels: tuple[int, ...] = FFHQ_CHANNELS  # At 4, 8, ..., the resolution.
    w_dim: int = 512  # Size W of the codes.
    image_channels: int = 3  # Channels of the picture.
    use_noise: bool = True  # Whether noise is added.
    lod: float = 0.0  # Levels that the network still has to grow.
    precision: Precision = "float32"  # Of the activations.

    @property
    def resolution(self) -> int:
        """Pixels a side of the picture."""
        return 2 << len(self.channels)

    def setup(self) -> None:
        """Declares one block per resolution.

        Raises:
            OptionError: If the precision is unknown.
        """
        check_choice("precision", self.precision, Precision)
        layers, before = adain_layers(self.channels), (0, *self.channels[:-1])
        for index, fan_in in enumerate(before):
            pair = layers[2 * index : 2 * index + 2]
            block = SynthesisBlock(pair, fan_in, self.image_channels, self.use_noise)
            setattr(self, pair[0].block, block)

    def styles(self, ws: Array) -> dict[str, Array]:
        """Styles of every layer: ws [N, L, W] -> layer name -> [N, 2 channels]."""
        layers = adain_layers(self.channels)
        check_shape("ws", ws.shape, (None, len(layers), self.w_dim))
        ws = ws.astype(jnp.float32)
        return {
            layer.name: getattr(getattr(self, layer.block), layer.part).style(ws[:, layer.row])
            for layer in layers
        }

    def _checked_lod(self, lod: float | None) -> float:
        lod, most = self.lod if lod is None else lod, len(self.channels) - 1
        if not 0 <= lod <= most:
            raise OptionError(f"`lod` is {lod}; required is 0 (finished) to {most} (4x4 alone)")
        # A network is born with all of its blocks and heads, however far it has grown.
        return 0.0 if self.is_initializing() else lod

    def __call__(
        self,
        ws: Array | None = None,
        *,
        styles: MappingType[str, Array] | None = None,
        noise_mode: NoiseMode = "const",
        lod: float | None = None,
    ) -> SynthesisOutput:
        """Synthesises pictures.

        Args:
            ws: [N, L, W], or None if `styles` is given.
            styles: Styles instead of `ws`: layer name -> [N, 2 channels].
            noise_mode: "const", "random" (needs the key "noise") or "none".
            lod: Levels still to grow: 1 is the picture of half the resolution, 0.25 a quarter of it
                and three quarters of the whole. A Python number, since it decides which layers
                run; None for the network's own.

        Returns:
            The picture, always at the full resolution, and the features of every layer run.

        Raises:
            ShapeError: If a code or layer name does not fit.
            OptionError: If the noise mode is unknown, or `lod` beyond the blocks.

        Source: ProGAN (arXiv:1710.10196), section 2 and figure 2.
        """
        if styles is None:
            if ws is None:
                raise ShapeError("`ws` is None; required is W+ or `styles`")
            styles = self.styles(ws)
        check_choice("noise_mode", noise_mode, NoiseMode)
        fading, missing = math.modf(self._checked_lod(lod))
        shown = self.resolution >> int(missing)
        layers = [layer for layer in adain_layers(self.channels) if layer.resolution <= shown]
        if absent := [layer.name for layer in layers if layer.name not in styles]:
            needed = ", ".join(layer.name for layer in layers)
            raise ShapeError(f"`styles` lacks {absent[0]!r}; required are {needed}")

        # Features, and the pictures of the heads that are seen.
        seen = {shown, shown // 2} if fading else {shown}
        x, features, pictures = None, {}, {}
        for layer in layers:
            block = getattr(self, layer.block)
            module, options = getattr(block, layer.part), {"noise_mode": noise_mode}
            if x is None:
                x = module(styles[layer.name], dtype=self.precision, **options)
            else:
                x = module(x, styles[layer.name], **options)
            features[layer.name] = x
            if layer.part == "conv1" and (layer.resolution in seen or self.is_initializing()):
                pictures[layer.resolution] = block.torgb(x).astype(jnp.float32)

        # Picture.
        image = pictures[shown]
        if fading:
            image = image + fading * (upsample_nearest(pictures[shown // 2], 2) - image)
        return {"image": upsample_nearest(image, 1 << int(missing)), "features": features}


class Generator(StyleGenerator):
    """Mapping and synthesis network of StyleGAN; the fields describe any model of it."""

    channels: tuple[int, ...] = FFHQ_CHANNELS  # At 4, 8, ..., the resolution.
    z_dim: int = 512  # Size Z of the input.
    c_dim: int = 0  # Size of the label; 0 for none.
    w_dim: int = 512  # Size W of the codes.
    image_channels: int = 3  # Channels of the picture.
    mapping_layers: int = 8  # Dense layers of the mapping network.
    mapping_features: int | None = None  # Width of its hidden layers; None is `w_dim`.
    use_noise: bool = True  # Whether noise is added.
    lod: float = 0.0  # Levels that the network still has to grow; 0 if finished.
    precision: Precision = "float32"  # Of the activations.

    def setup(self) -> None:
        """Declares the two networks."""
        self.mapping = Mapping(
            num_ws=self.num_ws,
            w_dim=self.w_dim,
            z_dim=self.z_dim,
            c_dim=self.c_dim,
            num_layers=self.mapping_layers,
            layer_features=self.mapping_features,
        )
        self.synthesis = Synthesis(
            channels=self.channels,
            w_dim=self.w_dim,
            image_channels=self.image_channels,
            use_noise=self.use_noise,
            lod=self.lod,
            precision=self.precision,
        )

    @property
    def resolution(self) -> int:
        """Pixels a side of the picture."""
        return 2 << len(self.channels)

    @property
    def num_ws(self) -> int:
        """Rows L of W+: two of each resolution, 18 at 1024."""
        return 2 * len(self.channels)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that have a style, in the order they run."""
        return adain_layers(self.channels)
