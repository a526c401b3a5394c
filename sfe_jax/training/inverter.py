"""Training of SFE's first phase: the Inverter, which predicts codes of W+ and a feature.

Every picture is made twice, from codes and feature, and from the codes alone, so that the codes
stay worth editing. The feature takes the place of the generator's own gradually.

Where the paper and the original code differ (learning rate 2e-4 or 1e-4, adversarial start after
14,000 or 45,000 steps, norm of the feature or its distance from the generator's own), this
follows the code. The generator is frozen; in the original it gathers slopes that are never used.

Source: SFE (arXiv:2406.10601), section 3.2; StyleFeatureEditor runners/training_runners.py.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from sfe_jax.core.trees import apply, graft
from sfe_jax.core.types import Array, Variables
from sfe_jax.losses.reconstruction import feature_loss
from sfe_jax.models.feature_editor import linear_start
from sfe_jax.models.inverter import Inverter
from sfe_jax.models.stylegan2 import Generator, SynthesisState
from sfe_jax.nn.irse import DEPTHS, WIDTHS
from sfe_jax.pipelines.bundle import Bundle, Network, example_inputs
from sfe_jax.pipelines.methods import InverterMethod, join_styles, layer_styles
from sfe_jax.training.adversary import (
    Adversary,
    AdversaryOptions,
    build_adversary,
    given_with,
    networks_with,
    phases_with,
    state_with,
)
from sfe_jax.training.criteria import Criteria, CriteriaOptions, build_criteria
from sfe_jax.training.method import (
    Batch,
    Frozen,
    Phase,
    Scalars,
    Trainer,
    TrainState,
    as_float,
    columns,
    decaying_ranger,
)
from sfe_jax.training.recipe import Setting
from sfe_jax.training.transfer import take_over


@dataclass
class InverterOptions:
    """Sizes of the Inverter and how it is trained. Durations are in images."""

    input_size: int = 256  # Pixels a side that the backbone reads.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the backbone.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage.
    strides: tuple[int, ...] = (2, 2, 1, 2)  # Of each stage's first unit.
    num_units: int = 5  # Residual units of the fuser.
    initial_body: Literal["", "iresnet"] = "iresnet"  # The backbone begins with it; "" for random.
    initial: bool = False  # Whether it begins as the Inverter in the weights instead.
    linear_start: bool = False  # The fuser begins as the sum; not in the paper.
    learning_rate: float = 1e-4  # Of Ranger.
    decay: tuple[int, ...] = ()  # Images between which it falls to 0; () for never.
    accumulate: int = 1  # Parts of a batch.
    feature_weight: float = 0.01  # Of the distance between fused and own feature.
    feature_ramp: int = 80_000  # Images until the feature replaces wholly: 10,000 steps of 8.
    criteria: CriteriaOptions = field(default_factory=CriteriaOptions)
    adversary: AdversaryOptions = field(default_factory=AdversaryOptions)

    def build(self, setting: Setting) -> "InverterTraining":
        """The Inverter for the generator in the recipe's weights."""
        network = setting.network("generator")
        generator: Any = network.module.clone(precision=setting.precision)
        sizes: dict[str, Any] = {
            "num_styles": generator.num_ws,
            "w_dim": generator.w_dim,
            "depths": self.depths,
            "widths": self.widths,
            "strides": self.strides,
            "num_units": self.num_units,
            "image_channels": generator.image_channels,
            "input_size": self.input_size,
        }
        # The feature is as wide as the generator's layer of its size.
        layer = InverterMethod(generator, Inverter(**sizes)).feature_layer
        width = next(x.channels for x in generator.layers if x.name == layer)
        criteria, frozen = build_criteria(self.criteria, setting)
        return InverterTraining(
            generator,
            Inverter(**sizes, features=width),
            self,
            criteria,
            {**frozen, "generator": network.variables},
            setting.initial("inverter" if self.initial else self.initial_body),
            build_adversary(self.adversary, setting),
            setting.batch_size,
        )


def _part(stats: Variables, name: str) -> dict[str, Any]:
    """The statistics of one submodule, as a dict to merge."""
    return {name: stats[name]} if name in stats else {}


class Reading(NamedTuple):
    """What one pass of the Inverter gives, and the pictures made of it."""

    ws: Array  # [N, L, W].
    fused: Array  # [N, H, W, C], the fused feature.
    own: Array  # [N, H, W, C], the generator's own feature of the codes.
    images: Array  # [2N, R, R, 3], from codes and feature, then from the codes alone.
    stats: Variables  # Moved statistics.


@dataclass(frozen=True)
class InverterTraining:
    """The method `inverter`."""

    generator: Generator
    inverter: Inverter
    options: InverterOptions
    criteria: Criteria
    frozen: Frozen
    initial: Frozen  # What the Inverter begins with, by role.
    adversary: Adversary | None
    batch_size: int  # Pictures of a step, over all devices.

    @property
    def method(self) -> InverterMethod:
        """How the Inverter is used."""
        return InverterMethod(self.generator, self.inverter)

    @cached_property
    def _trainer(self) -> Trainer:
        options = self.options
        optimizer = decaying_ranger(options.learning_rate, options.decay, self.batch_size)
        return Trainer("inverter", optimizer, options.accumulate)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The Inverter; from a given count of images on with an adversary."""
        return phases_with(self.adversary, "inverter", self.train, self._fakes)

    @property
    def given(self) -> Frozen:
        """The generator, and what Inverter and adversary begin with."""
        generator = {"generator": self.frozen["generator"]}
        return {**generator, **self.initial, **given_with(self.adversary)}

    def init(self, key: Array, given: Frozen) -> TrainState:
        """Inverter and adversary as they begin."""
        variables = self._initial_inverter(key, given)
        return state_with(self.adversary, self._trainer.begin(variables), given)

    def _initial_inverter(self, key: Array, given: Frozen) -> Variables:
        """Random weights, but for the backbone's where one is given, around the average code.

        An Inverter that goes on from a trained one keeps the average code of that.
        """
        inputs = [jnp.zeros(x.shape, x.dtype) for x in example_inputs(self.inverter)]
        variables = self.inverter.init(key, *inputs)
        if self.options.initial:
            return take_over(variables, given["inverter"], role="inverter")
        if role := self.options.initial_body:
            part, place = r"(\w+)/((?:stem|stage\d).*)", r"\1/backbone/\2"
            variables = graft(variables, given[role], part, place, where=role)
        w_avg = given["generator"]["buffers"]["mapping"]["w_avg"]
        rows = (self.inverter.num_styles, self.inverter.w_dim)
        buffers = {"backbone": {"w_avg": jnp.broadcast_to(w_avg, rows)}}
        params = variables["params"]
        if self.options.linear_start:
            params = {**params, "fuser": linear_start(params["fuser"], first=1.0, second=1.0)}
        return {**variables, "params": params, "buffers": buffers}

    def _run(self, variables: Variables, *arguments: Array, method: str) -> tuple[Any, Variables]:
        """A part of the Inverter, normalised by the batch, and the moved statistics."""
        return apply(
            self.inverter, variables, *arguments, train=True, method=method, mutable=["batch_stats"]
        )

    def read(self, variables: Variables, frozen: Frozen, images: Array, strength: Array) -> Reading:
        """One pass of Inverter and generator, normalised by the batch.

        Args:
            variables: Of the Inverter.
            frozen: Holds the generator.
            images: [N, R, R, 3] in [-1, 1].
            strength: [], how far the feature replaces the generator's own.
        """
        method, weights = self.method, frozen["generator"]

        # Codes and feature.
        pictures = method.network_input(images)
        predicted, moved = self._run(variables, pictures, method="predict")
        styles = layer_styles(self.generator, weights, predicted["ws"])
        lower = method.lower(weights, styles)
        own = lower.feature
        fused, merged = self._run(variables, predicted["feature"], own, method="fuse")
        stats = {**moved["batch_stats"], **_part(merged["batch_stats"], "fuser")}

        # Pictures of both, in one pass: a feature that replaces itself changes nothing.
        twice = jax.tree.map(lambda x: jnp.concatenate([x, x]), lower)
        made = method.upper(
            weights,
            join_styles(styles, styles),
            SynthesisState(*twice),
            jnp.concatenate([fused, own]),
            strength=strength,
        )
        return Reading(predicted["ws"], fused, own, made, stats)

    def _strength(self, step: Array) -> Array:
        """How far the feature replaces in `step`: from 0 to 1."""
        seen = (step * self.batch_size).astype(jnp.float32)
        return jnp.minimum(seen / self.options.feature_ramp, 1.0)

    def train(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array, *, judged: bool
    ) -> tuple[TrainState, Scalars]:
        """Moves the Inverter; `judged` by the discriminator too."""
        options, variables = self.options, state.networks["inverter"]
        strength = self._strength(state.step)

        def loss(params: Any, stats: Any, part: Batch, key: Array):
            del key
            images = as_float(part["image"])
            moving = {**variables, "params": params, "batch_stats": stats}
            reading = self.read(moving, frozen, images, strength)
            target = jnp.concatenate([images, images])
            value, scalars = self.criteria(frozen, reading.images, target)
            closeness = feature_loss(reading.fused, reading.own)
            value = value + options.feature_weight * closeness
            scalars = {**scalars, "loss/feature": closeness}
            if judged and self.adversary is not None:
                opinion, more = self.adversary.opinion(state, reading.images)
                value, scalars = value + opinion, {**scalars, **more}
            return value, (reading.stats, {"loss/inverter": value, **scalars})

        return self._trainer.update_normalised(state, loss, batch, key)

    def _fakes(self, state: TrainState, frozen: Frozen, batch: Batch, key: Array) -> Array:
        """Both kinds of pictures that the Inverter makes of a batch."""
        del key
        images, strength = as_float(batch["image"]), self._strength(state.step)
        return self.read(state.networks["inverter"], frozen, images, strength).images

    def _reconstruct(self, state: TrainState, frozen: Frozen, images: Array) -> Array:
        """Pictures as users will get them."""
        variables = {"generator": frozen["generator"], "inverter": state.networks["inverter"]}
        return self.method.reconstruct(variables, self.method.invert(variables, images))

    def show(self, state: TrainState, frozen: Frozen, examples: Batch) -> dict[str, Array]:
        """Pairs of picture and inversion."""
        images = as_float(examples["image"])
        return {"inversions": columns(images, self._reconstruct(state, frozen, images))}

    def evaluate(self, state: TrainState, frozen: Frozen, batch: Batch) -> Scalars:
        """The criteria on unseen pictures."""
        images = as_float(batch["image"])
        return self.criteria.figures(frozen, self._reconstruct(state, frozen, images), images)

    def bundle(self, state: TrainState) -> Bundle:
        """The Inverter, and the discriminator if one was trained."""
        trained = Network(self.inverter, state.networks["inverter"])
        return Bundle({"inverter": trained, **networks_with(self.adversary, state)})
