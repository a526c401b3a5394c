"""The StyleGAN2 generator: modulated synthesis with features that can be read and replaced.

Source: StyleGAN2 (arXiv:1912.04958); stylegan2-ada-pytorch training/networks.py; rosinality
stylegan2-pytorch model.py, whose generator is the same network under other names.
"""

import math
from collections.abc import Mapping as MappingType
from functools import partial
from typing import Any, Literal, NamedTuple, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.choices import Precision, check_choice
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.precision import broadcast_like
from sfe_jax.core.types import Array
from sfe_jax.models.generator import StyleGenerator
from sfe_jax.models.layer_table import (
    FFHQ_CHANNELS,
    Architecture,
    Layer,
    num_ws,
    synthesis_layers,
)
from sfe_jax.models.mapping import Mapping
from sfe_jax.nn.equalized import EqualizedConv, EqualizedDense, activate
from sfe_jax.nn.parametric import ParametricModule
from sfe_jax.ops.convolution import RESAMPLE_FILTER, convolve, upsample_convolve
from sfe_jax.ops.modulated_conv import modulated_conv
from sfe_jax.ops.packing import elementwise
from sfe_jax.ops.upfirdn2d import upsample2d

NoiseMode = Literal["const", "random", "none"]
"""The stored noise, fresh noise from the key "noise", or no noise."""


def blend_feature(own: Array, feature: Array, *, strength: float | Array) -> Array:
    """Replaces a generator feature by `feature`, linearly in `strength`.

    Args:
        own: [N, H, W, C], what the generator computed.
        feature: [N, H, W, C], what an encoder predicts.
        strength: In [0, 1]; 0 keeps `own`, 1 uses `feature`.

    Returns:
        [N, H, W, C], dtype of `own`.

    Raises:
        ShapeError: If the shapes differ.

    Source: SFE (arXiv:2406.10601), section 3.2.
    """
    check_shape("feature", feature.shape, own.shape)
    feature = feature.astype(own.dtype)
    if isinstance(strength, float | int) and strength == 1:
        return feature
    return own + jnp.asarray(strength, own.dtype) * (feature - own)


class SynthesisState(NamedTuple):
    """A synthesis that stopped after a block, and can go on from there."""

    feature: Array  # [N, r, r, C], output of the block's conv1.
    image: Array | None  # [N, r, r, 3], the sum of ToRGBs so far; None before the first.


class SynthesisOutput(TypedDict):
    """What a synthesis returns."""

    image: Any  # [N, R, R, 3], float32, never clipped; None before the first ToRGB.
    features: dict[str, Array]  # Layer name -> [N, r, r, C], before any replacement.


class StyledConv(ParametricModule):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU. Output [N, r, r, channels]."""

    layer: Layer  # Name, sizes and row.
    w_dim: int  # Size W of the codes.
    upsample: bool = False  # Whether the resolution is doubled.
    use_noise: bool = True  # Whether noise is added.
    clamp: float | None = None  # Bound of the outputs. None = no bound.

    def setup(self) -> None:
        """Declares the affine layer and the parameters."""
        shape = (3, 3, self.layer.in_channels, self.layer.channels)
        self.affine = EqualizedDense(self.layer.in_channels, bias_init=1.0)
        self.kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        self.bias = self.param("bias", nn.initializers.zeros, (self.layer.channels,))
        if self.use_noise:
            size = (self.layer.resolution, self.layer.resolution)
            self.noise_strength = self.param("noise_strength", nn.initializers.zeros, ())
            self.noise_const = self.variable("buffers", "noise_const", self._draw_noise, size)

    def _draw_noise(self, size: tuple[int, int]) -> Array:
        return jax.random.normal(self.make_rng("params"), size)

    def style(self, w: Array) -> Array:
        """Style of the layer: w [N, W] -> [N, in_channels]."""
        return self.affine(w)

    def _noise(self, count: int, mode: NoiseMode) -> Array:
        """Noise of the layer, [1 or N, r, r, 1]."""
        size = self.layer.resolution
        if mode == "const":
            return self.noise_const.value[None, :, :, None]
        return jax.random.normal(self.make_rng("noise"), (count, size, size, 1))

    def __call__(
        self, x: Array, style: Array, *, noise_mode: NoiseMode = "const", gain: float = 1.0
    ) -> Array:
        """Applies the layer to x [N, H, W, I] under style [N, I]."""
        convolution = upsample_convolve if self.upsample else convolve
        y = modulated_conv(x, self.kernel, style, convolution=convolution)
        if self.use_noise and noise_mode != "none":
            noise = self.noise_strength * self._noise(x.shape[0], noise_mode)
            y = elementwise(lambda y, noise: y + broadcast_like(noise, y), y, noise.astype(y.dtype))
        return activate(y, self.bias.astype(y.dtype), "lrelu", gain, self.clamp)


class ToRGB(ParametricModule):
    """Modulated 1x1 convolution to colours, without demodulation. Output [N, r, r, 3]."""

    layer: Layer  # Name, sizes and row.
    w_dim: int  # Size W of the codes.
    clamp: float | None = None  # Bound of the outputs. None = no bound.

    def setup(self) -> None:
        """Declares the affine layer and the parameters."""
        shape = (1, 1, self.layer.in_channels, self.layer.channels)
        self.affine = EqualizedDense(self.layer.in_channels, bias_init=1.0)
        self.kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        self.bias = self.param("bias", nn.initializers.zeros, (self.layer.channels,))

    def style(self, w: Array) -> Array:
        """Style of the layer: w [N, W] -> [N, in_channels]."""
        return self.affine(w)

    def __call__(self, x: Array, style: Array) -> Array:
        """Applies the layer to x [N, H, W, I] under style [N, I]; float32."""
        style = style * (1 / math.sqrt(self.layer.in_channels))
        y = modulated_conv(x, self.kernel, style, demodulate=False)
        y = activate(y, self.bias.astype(y.dtype), "linear", 1.0, self.clamp)
        return y.astype(jnp.float32)


class SynthesisBlock(ParametricModule):
    """The layers of one resolution, by the parts of their names."""

    layers: tuple[Layer, ...]  # Of this block.
    architecture: Architecture  # How images leave.
    w_dim: int  # Size W of the codes.
    use_noise: bool  # Whether noise is added.
    clamp: float | None  # Bound of the outputs. None = no bound.

    def setup(self) -> None:
        """Declares the layers, the constant of the first block, the skip of later ones."""
        options = {"w_dim": self.w_dim, "clamp": self.clamp}
        for layer in self.layers:
            if layer.kind == "torgb":
                module = ToRGB(layer, **options)
            else:
                up = layer.part == "conv0"
                module = StyledConv(layer, upsample=up, use_noise=self.use_noise, **options)
            setattr(self, layer.part, module)
        conv1 = next(layer for layer in self.layers if layer.part == "conv1")
        if conv1.resolution == 4:
            shape = (4, 4, conv1.channels)
            self.const = self.param("const", nn.initializers.normal(1.0), shape)
        elif self.architecture == "resnet":
            self.skip = EqualizedConv(
                conv1.channels,
                kernel_size=1,
                resample="up",
                use_bias=False,
                activation="linear",
                gain=math.sqrt(0.5),
            )


class Synthesis(nn.Module):
    """Synthesis network: W+ or styles to a picture."""

    channels: tuple[int, ...] = FFHQ_CHANNELS  # At 4, 8, ..., the resolution.
    w_dim: int = 512  # Size W of the codes.
    image_channels: int = 3  # Channels of the picture.
    architecture: Architecture = "skip"  # How images leave.
    use_noise: bool = True  # Whether noise is added.
    conv_clamp: float | None = None  # Bound of every layer's outputs. None = no bound.
    precision: Precision = "float32"  # Of the activations.

    def setup(self) -> None:
        """Declares one block per resolution.

        Raises:
            OptionError: If the architecture or precision is unknown.
        """
        check_choice("architecture", self.architecture, Architecture)
        check_choice("precision", self.precision, Precision)
        for block, layers in self._layers_by_block().items():
            module = SynthesisBlock(
                layers, self.architecture, self.w_dim, self.use_noise, self.conv_clamp
            )
            setattr(self, block, module)

    @property
    def resolution(self) -> int:
        """Pixels a side of the picture."""
        return 2 << len(self.channels)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The modulated layers in the order they run."""
        return synthesis_layers(
            self.channels, architecture=self.architecture, image_channels=self.image_channels
        )

    def _layers_by_block(self) -> dict[str, tuple[Layer, ...]]:
        blocks: dict[str, tuple[Layer, ...]] = {}
        for layer in self.layers:
            blocks[layer.block] = (*blocks.get(layer.block, ()), layer)
        return blocks

    def styles(self, ws: Array) -> dict[str, Array]:
        """Codes of StyleSpace: ws [N, L, W] -> layer name -> [N, in_channels].

        Source: StyleSpace (arXiv:2011.12799), section 3.
        """
        check_shape("ws", ws.shape, (None, num_ws(self.resolution), self.w_dim))
        ws = ws.astype(jnp.float32)
        return {
            layer.name: getattr(getattr(self, layer.block), layer.part).style(ws[:, layer.row])
            for layer in self.layers
        }

    def _begin(self, count: int) -> SynthesisState:
        """The learned constant, [N, 4, 4, C]."""
        const = self.b4.const.astype(self.precision)[None]
        return SynthesisState(jnp.repeat(const, count, axis=0), None)

    def __call__(
        self,
        ws: Array | None = None,
        *,
        styles: MappingType[str, Array] | None = None,
        noise_mode: NoiseMode = "const",
        start: SynthesisState | None = None,
        stop_at: int | None = None,
        replace: MappingType[str, Array] | None = None,
        strength: float | Array = 1.0,
    ) -> SynthesisOutput:
        """Synthesises pictures.

        Args:
            ws: [N, L, W], or None if `styles` is given.
            styles: Codes of StyleSpace instead of `ws`: layer name -> [N, in_channels].
            noise_mode: "const", "random" (needs the key "noise") or "none".
            start: Where to go on from; None for the learned constant.
            stop_at: Resolution of the last block; None for all.
            replace: Layer name (or "b4.const") -> [N, r, r, C]: what the next convolution reads
                instead of that layer's output. The block's ToRGB still reads the output.
            strength: In [0, 1], how far `replace` replaces.

        Returns:
            The picture at the last block's resolution, and the features of every layer run.

        Raises:
            ShapeError: If a code, layer name or resolution does not fit.
            OptionError: If the noise mode is unknown.
        """
        if styles is None:
            if ws is None:
                raise ShapeError("`ws` is None; required is W+ or `styles`")
            styles = self.styles(ws)
        check_choice("noise_mode", noise_mode, NoiseMode)
        replace = self._checked_replacements(replace)
        done, last = self._checked_resolutions(start, stop_at)
        self._check_styles(styles, done, last)
        state = start or self._begin(styles["b4.conv1"].shape[0])
        features = {} if start else {"b4.const": state.feature}

        def read(name: str, own: Array) -> Array:
            """What the convolution after `name` reads."""
            feature = replace.get(name)
            return own if feature is None else blend_feature(own, feature, strength=strength)

        before = f"b{done}.conv1" if start else "b4.const"
        x, image = read(before, state.feature), state.image
        for name, layers in self._layers_by_block().items():
            block, resolution = getattr(self, name), layers[0].resolution
            if not done < resolution <= last:
                continue

            # Features.
            residual = self.architecture == "resnet" and resolution > 4
            skip = block.skip(x) if residual else None
            convs = [layer for layer in layers if layer.kind == "conv"]
            for layer in convs:
                gain = math.sqrt(0.5) if residual and layer.part == "conv1" else 1.0
                conv = partial(getattr(block, layer.part), noise_mode=noise_mode, gain=gain)
                x = conv(x, styles[layer.name])
                if residual and layer.part == "conv1":
                    x = x + skip
                features[layer.name] = own = x
                x = read(layer.name, own)

            # Image.
            if image is not None:
                image = upsample2d(image, RESAMPLE_FILTER)
            if layers[-1].kind == "torgb":
                colours = block.torgb(own, styles[layers[-1].name])
                image = colours if image is None else image + colours
        return {"image": image, "features": features}

    def _checked_replacements(self, replace: MappingType[str, Array] | None) -> dict[str, Array]:
        names = ["b4.const", *(layer.name for layer in self.layers if layer.kind == "conv")]
        for name in replace or {}:
            if name not in names:
                raise ShapeError(f"`replace` names {name!r}; known features: {', '.join(names)}")
        return dict(replace or {})

    def _checked_resolutions(
        self, start: SynthesisState | None, stop_at: int | None
    ) -> tuple[int, int]:
        """Resolutions of the block that `start` has run, 0 for none, and of the last block."""
        known = [4 << index for index in range(len(self.channels))]
        done = start.feature.shape[1] if start else 0
        if start and done not in known:
            raise ShapeError(f"`start` has resolution {done}; required is one of {known}")
        ahead = [resolution for resolution in known if resolution > done]
        if stop_at is not None and stop_at not in ahead:
            raise ShapeError(f"`stop_at` is {stop_at}; required is one of {ahead}")
        return done, stop_at or self.resolution

    def _check_styles(self, styles: MappingType[str, Array], done: int, last: int) -> None:
        needed = [layer.name for layer in self.layers if done < layer.resolution <= last]
        if missing := [name for name in needed if name not in styles]:
            raise ShapeError(f"`styles` lacks {missing[0]!r}; required are {', '.join(needed)}")


class Generator(StyleGenerator):
    """Mapping and synthesis network of StyleGAN2.

    The fields describe any published or own model; a 32x32 generator differs only in `channels`.
    """

    channels: tuple[int, ...] = FFHQ_CHANNELS  # At 4, 8, ..., the resolution.
    z_dim: int = 512  # Size Z of the input.
    c_dim: int = 0  # Size of the label; 0 for none.
    w_dim: int = 512  # Size W of the codes.
    image_channels: int = 3  # Channels of the picture.
    architecture: Architecture = "skip"  # How images leave.
    mapping_layers: int = 8  # Dense layers of the mapping network.
    mapping_features: int | None = None  # Width of its hidden layers; None is `w_dim`.
    embed_features: int | None = None  # Width of its embedded label; None is `w_dim`.
    use_noise: bool = True  # Whether noise is added.
    conv_clamp: float | None = None  # Bound of every layer's outputs. None = no bound.
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
            channels=self.channels,
            w_dim=self.w_dim,
            image_channels=self.image_channels,
            architecture=self.architecture,
            use_noise=self.use_noise,
            conv_clamp=self.conv_clamp,
            precision=self.precision,
        )

    @property
    def resolution(self) -> int:
        """Pixels a side of the picture."""
        return 2 << len(self.channels)

    @property
    def num_ws(self) -> int:
        """Rows L of W+."""
        return num_ws(self.resolution)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The modulated layers in the order they run."""
        return synthesis_layers(
            self.channels, architecture=self.architecture, image_channels=self.image_channels
        )
