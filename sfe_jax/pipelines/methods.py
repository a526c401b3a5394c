"""The methods that invert and edit pictures, behind one interface.

Each method has `invert(variables, images)`, `reconstruct(variables, inversion)` and
`edit(variables, inversion, operands, strength)`: pure functions of arrays, to be jitted. The
picture's networks run once in `invert`; every strength of every edit reuses what it found.

Source: SFE (arXiv:2406.10601), sections 3.2 and 3.3; StyleFeatureEditor models/methods.py and
runners/inference_runners.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp

from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.edits.operands import Operands, apply_to_styles, apply_to_ws
from sfe_jax.models.feature_editor import FeatureFuser
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.stylegan2 import Generator, SynthesisState
from sfe_jax.ops.resize import resize_bilinear

NetworkVariables = Mapping[str, Variables]
"""Variables of every network of a method, by role."""


class Inversion(NamedTuple):
    """What a method knows of pictures: enough to show and to edit them."""

    ws: Array  # [N, L, W], codes of the generator.
    feature: Any = None  # [N, H, W, C], the fused feature; None for W+ methods.
    ws_e4e: Any = None  # [N, L, W], e4e's codes; None unless an editor needs them.
    feature_e4e: Any = None  # [N, H, W, C], the generator's feature of e4e's codes.
    background: Any = None  # [N, H, W, 1] in [0, 1], where edits leave the feature; None: nowhere.


class Method(Protocol):
    """What every method offers."""

    @property
    def generator(self) -> Generator:
        """The network that makes the pictures."""
        ...

    def invert(self, variables: NetworkVariables, images: Array) -> Inversion:
        """Reads pictures [N, R, R, 3] in [-1, 1]."""
        ...

    def reconstruct(self, variables: NetworkVariables, inversion: Inversion) -> Array:
        """Pictures [N, R, R, 3] of an inversion."""
        ...

    def edit(
        self,
        variables: NetworkVariables,
        inversion: Inversion,
        operands: Operands,
        strength: Array,
    ) -> Array:
        """Pictures [N, R, R, 3] of an inversion edited with strength [N]."""
        ...


def layer_styles(generator: Generator, variables: Variables, ws: Array) -> dict[str, Array]:
    """Styles of every layer: ws [N, L, W] -> layer name -> [N, C]."""
    return apply(generator, variables, ws, method="styles")


def edited_styles(
    generator: Generator, variables: Variables, ws: Array, operands: Operands, strength: Array
) -> dict[str, Array]:
    """Styles of edited codes: the edit acts on W+, then on StyleSpace."""
    styles = layer_styles(generator, variables, apply_to_ws(ws, operands, strength))
    return apply_to_styles(styles, operands, strength)


def join_styles(first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, Array]:
    """Styles of two batches as one, so that small layers read their weights once."""
    return {name: jnp.concatenate([first[name], second[name]]) for name in first}


def encoder_input(images: Array, size: int) -> Array:
    """Pictures at the size an encoder of pSp or e4e reads, antialiased as their data sets are."""
    shape = (images.shape[0], size, size, images.shape[3])
    return jax.image.resize(images, shape, "linear", antialias=True)


@dataclass(frozen=True)
class EncoderMethod:
    """An encoder of W+ alone: pSp or e4e."""

    generator: Generator
    encoder: nn.Module  # GradualStyleEncoder, WPlusEncoder, WEncoder or E4eEncoder.
    role: str  # Role of the encoder in the variables: "psp" or "e4e".

    def invert(self, variables: NetworkVariables, images: Array) -> Inversion:
        """Reads pictures [N, R, R, 3] in [-1, 1]."""
        pictures = encoder_input(images, self.encoder.input_size)
        pictures = pictures.astype(self.generator.precision)
        ws = apply(self.encoder, variables[self.role], pictures)
        if ws.ndim == 2:
            ws = jnp.repeat(ws[:, None], self.generator.num_ws, axis=1)
        return Inversion(ws)

    def reconstruct(self, variables: NetworkVariables, inversion: Inversion) -> Array:
        """Pictures [N, R, R, 3] of an inversion."""
        out = apply(self.generator, variables["generator"], inversion.ws, method="synthesize")
        return out["image"]

    def edit(
        self,
        variables: NetworkVariables,
        inversion: Inversion,
        operands: Operands,
        strength: Array,
    ) -> Array:
        """Pictures [N, R, R, 3] of an inversion edited with strength [N]."""
        weights = variables["generator"]
        styles = edited_styles(self.generator, weights, inversion.ws, operands, strength)
        return apply(self.generator, weights, styles=styles, method="synthesize")["image"]


@dataclass(frozen=True)
class InverterMethod:
    """SFE's phase 1: the Inverter's feature is kept, the edit moves the codes alone."""

    generator: Generator
    inverter: Inverter

    @property
    def feature_layer(self) -> str:
        """Name of the layer whose output is the feature: b64.conv1 for 256x256 inputs."""
        first, second, third, _ = self.inverter.strides
        return f"b{self.inverter.input_size // (first * second * third)}.conv1"

    @property
    def feature_resolution(self) -> int:
        """Pixels a side of the feature: 64 for 256x256 inputs."""
        return int(self.feature_layer.partition(".")[0].removeprefix("b"))

    def lower(self, variables: Variables, styles: Mapping[str, Array]) -> SynthesisState:
        """The generator up to the feature's block."""
        out = apply(
            self.generator,
            variables,
            styles=styles,
            stop_at=self.feature_resolution,
            method="synthesize",
        )
        return SynthesisState(out["features"][self.feature_layer], out["image"])

    def upper(
        self,
        variables: Variables,
        styles: Mapping[str, Array],
        start: SynthesisState,
        feature: Array,
        *,
        strength: float | Array = 1.0,
    ) -> Array:
        """The generator from the feature's block on, with `feature` in place of its own.

        The colours up to the feature's block come from the codes alone, as in the reference.
        `strength` in [0, 1] says how far the feature replaces; less than 1 in training only.
        """
        out = apply(
            self.generator,
            variables,
            styles=styles,
            start=start,
            replace={self.feature_layer: feature},
            strength=strength,
            method="synthesize",
        )
        return out["image"]

    def network_input(self, images: Array) -> Array:
        """Pictures at the size the networks read: bilinear without antialias, as SFE's.

        Their type, and so that of the networks' activations, is the generator's precision.
        """
        pictures = resize_bilinear(images, self.inverter.input_size)
        return pictures.astype(self.generator.precision)

    def fused_feature(self, variables: NetworkVariables, predicted: Array, own: Array) -> Array:
        """The Inverter's feature, of the predicted one and the generator's own [N, H, W, C]."""
        return apply(self.inverter, variables["inverter"], predicted, own, method="fuse")

    def invert(self, variables: NetworkVariables, images: Array) -> Inversion:
        """Reads pictures [N, R, R, 3] in [-1, 1]."""
        pictures = self.network_input(images)
        predicted = apply(self.inverter, variables["inverter"], pictures, method="predict")
        styles = layer_styles(self.generator, variables["generator"], predicted["ws"])
        own = self.lower(variables["generator"], styles).feature
        return Inversion(predicted["ws"], self.fused_feature(variables, predicted["feature"], own))

    def reconstruct(self, variables: NetworkVariables, inversion: Inversion) -> Array:
        """Pictures [N, R, R, 3] of an inversion."""
        styles = layer_styles(self.generator, variables["generator"], inversion.ws)
        start = self.lower(variables["generator"], styles)
        return self.upper(variables["generator"], styles, start, inversion.feature)

    def edit(
        self,
        variables: NetworkVariables,
        inversion: Inversion,
        operands: Operands,
        strength: Array,
    ) -> Array:
        """Pictures [N, R, R, 3] of an inversion edited with strength [N]."""
        weights = variables["generator"]
        styles = edited_styles(self.generator, weights, inversion.ws, operands, strength)
        start = self.lower(weights, styles)
        return self.upper(weights, styles, start, inversion.feature)


@dataclass(frozen=True)
class SfeMethod(InverterMethod):
    """StyleFeatureEditor: the edit moves the codes, and the Feature Editor the feature."""

    feature_editor: FeatureFuser
    e4e: nn.Module  # An E4eEncoder.

    def invert(self, variables: NetworkVariables, images: Array) -> Inversion:
        """Reads pictures [N, R, R, 3] in [-1, 1]."""
        weights, count = variables["generator"], images.shape[0]
        pictures = self.network_input(images)

        # Codes.
        predicted = apply(self.inverter, variables["inverter"], pictures, method="predict")
        ws: Array = predicted["ws"]
        ws_e4e: Array = apply(self.e4e, variables["e4e"], pictures)

        # Features of both codes, in one pass.
        styles = layer_styles(self.generator, weights, jnp.concatenate([ws, ws_e4e]))
        own, feature_e4e = jnp.split(self.lower(weights, styles).feature, [count])
        feature = self.fused_feature(variables, predicted["feature"], own)
        return Inversion(ws, feature, ws_e4e, feature_e4e)

    def edited_feature(
        self, variables: NetworkVariables, inversion: Inversion, delta: Array
    ) -> Array:
        """The feature [N, H, W, C] that the Feature Editor gives for `delta` [N, H, W, C]."""
        return apply(self.feature_editor, variables["feature_editor"], inversion.feature, delta)

    def reconstruct(self, variables: NetworkVariables, inversion: Inversion) -> Array:
        """Pictures [N, R, R, 3] of an inversion; the Feature Editor reads a zero difference."""
        delta = jnp.zeros_like(inversion.feature)
        feature = self.edited_feature(variables, inversion, delta)
        return super().reconstruct(variables, inversion._replace(feature=feature))

    def edit(
        self,
        variables: NetworkVariables,
        inversion: Inversion,
        operands: Operands,
        strength: Array,
    ) -> Array:
        """Pictures [N, R, R, 3] of an inversion edited with strength [N]."""
        weights, count = variables["generator"], inversion.ws.shape[0]

        # Edited codes of the Inverter and of e4e, in one pass up to the feature.
        both = (inversion.ws, inversion.ws_e4e)
        styles, styles_e4e = (
            edited_styles(self.generator, weights, ws, operands, strength) for ws in both
        )
        lower = self.lower(weights, join_styles(styles, styles_e4e))
        own, edited_e4e = jnp.split(lower.feature, [count])
        image = None if lower.image is None else lower.image[:count]

        # What the edit changes in e4e's feature: the original minus the edited one.
        delta = inversion.feature_e4e - edited_e4e
        if inversion.background is not None:
            delta = delta * (1 - inversion.background).astype(delta.dtype)
        feature = self.edited_feature(variables, inversion, delta)
        return self.upper(weights, styles, SynthesisState(own, image), feature)
