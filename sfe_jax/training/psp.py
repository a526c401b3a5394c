"""Training of a pSp encoder: pictures, or what stands for them, to W+ of a frozen generator.

The generator stays frozen, where the original has the choice to train it too.

Source: pSp (arXiv:2008.00951), section 3; pixel2style2pixel training/coach.py.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply, graft
from sfe_jax.core.types import Array, Variables
from sfe_jax.losses.latent import w_norm
from sfe_jax.models.psp import GradualStyleEncoder
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.nn.irse import DEPTHS, WIDTHS
from sfe_jax.ops.resize import pool_to
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.methods import EncoderMethod, Inversion, encoder_input
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
from sfe_jax.training.psp_tasks import (
    FACTORS,
    Frontalize,
    Invert,
    SuperResolve,
    Task,
    Translate,
    shown,
)
from sfe_jax.training.recipe import Setting
from sfe_jax.training.transfer import take_over


@dataclass
class EncoderOptions:
    """Sizes of an encoder of W+ and how it is trained. Defaults are those of pSp."""

    input_size: int = 256  # Pixels a side that the encoder reads.
    depths: tuple[int, ...] = DEPTHS[50]  # Units per stage of the body.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage of the body.
    initial_body: Literal["", "arcface"] = "arcface"  # Begins with its body; "" for random.
    initial: bool = False  # Whether it begins as the encoder of its role in the weights instead.
    learning_rate: float = 1e-4  # Of Ranger.
    decay: tuple[int, ...] = ()  # Images between which it falls to 0; () for never.
    accumulate: int = 1  # Parts of a batch.
    criteria: CriteriaOptions = field(
        default_factory=lambda: CriteriaOptions(perceptual_network="lpips_alex")
    )

    def sizes(self, generator: Generator) -> dict[str, Any]:
        """Fields of an encoder for the codes of `generator`."""
        return {
            "num_styles": generator.num_ws,
            "w_dim": generator.w_dim,
            "image_channels": generator.image_channels,
            "input_size": self.input_size,
            "depths": self.depths,
            "widths": self.widths,
        }

    def beginning(self, setting: Setting, role: str) -> Frozen:
        """Weights that the encoder of `role` begins with, by role."""
        return setting.initial(role if self.initial else self.initial_body)


@dataclass
class PspOptions(EncoderOptions):
    """Options of pSp: beside those of every encoder, the task and how far codes may go."""

    w_norm: float = 0.0  # Weight of the distance from the average code; 0.005 for other tasks.
    # Reads the picture, its mirror image too, a degraded one, or the `condition` of the data.
    task: Literal["invert", "frontalize", "super_resolve", "translate"] = "invert"
    factors: tuple[int, ...] = FACTORS  # By which pictures are degraded for "super_resolve".

    def _task(self, setting: Setting) -> Task:
        """What the encoder reads."""
        match self.task:
            case "frontalize":
                return Frontalize()
            case "super_resolve":
                return SuperResolve(self.factors, self.input_size)
            case "translate":
                return Translate(setting.condition_channels, self.input_size)
        return Invert()

    def build(self, setting: Setting) -> "Psp":
        """The encoder for the generator in the recipe's weights.

        Raises:
            OptionError: If the data has no conditions for the task, or some for another, or a
                factor does not fit.
        """
        if (self.task == "translate") != bool(setting.condition_channels):
            found = "has some" if setting.condition_channels else "has none"
            raise OptionError(
                f"`method.task` is {self.task!r}, and the data {found} of the conditions that "
                '"translate" alone reads; set `data.condition`, or choose the other task'
            )
        generator = setting.network("generator")
        criteria, frozen = build_criteria(self.criteria, setting)
        frozen = {**frozen, "generator": generator.variables}
        module: Any = generator.module.clone(precision=setting.precision)
        sizes = self.sizes(module)
        if setting.condition_channels:
            sizes["image_channels"] = setting.condition_channels
        return Psp(
            module,
            GradualStyleEncoder(**sizes),
            self,
            criteria,
            frozen,
            self.beginning(setting, Psp.role),
            setting.batch_size,
            self._task(setting),
        )


@dataclass(frozen=True)
class Psp:
    """The method `psp`."""

    generator: Generator
    encoder: nn.Module
    options: Any  # PspOptions; E4eOptions in the subclass.
    criteria: Criteria
    frozen: Frozen
    initial: Frozen  # What the encoder begins with, by role.
    batch_size: int  # Pictures of a step, over all devices.
    task: Task = field(default_factory=Invert)  # What the encoder reads.

    role: ClassVar[str] = "psp"
    """Of the encoder."""

    @cached_property
    def _trainer(self) -> Trainer:
        options = self.options
        optimizer = decaying_ranger(options.learning_rate, options.decay, self.batch_size)
        return Trainer(self.role, optimizer, self.options.accumulate)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One: the encoder."""
        return (Phase("encoder", self.train_encoder),)

    @property
    def given(self) -> Frozen:
        """The generator, and what the encoder begins with."""
        return {"generator": self.frozen["generator"], **self.initial}

    def _initial_encoder(self, key: Array, given: Frozen) -> Variables:
        """Random weights, but for the body's where one is given, around the average code.

        An encoder that goes on from a trained one keeps the average code of that.
        """
        encoder: Any = self.encoder
        size = encoder.input_size
        images = jnp.zeros((1, size, size, encoder.image_channels))
        variables = encoder.init(key, images)
        if self.options.initial:
            return take_over(variables, given[self.role], role=self.role)
        if role := self.options.initial_body:
            # A stem that reads other channels stays random, as in the original.
            part = r"(\w+)/body/(.*)" if encoder.image_channels == 3 else r"(\w+)/body/(unit.*)"
            variables = graft(variables, given[role], part, r"\1/pyramid/body/\2", where=role)
        w_avg = given["generator"]["buffers"]["mapping"]["w_avg"]
        rows = (encoder.num_styles, encoder.w_dim)
        return {**variables, "buffers": {"w_avg": jnp.broadcast_to(w_avg, rows)}}

    def init(self, key: Array, given: Frozen) -> TrainState:
        """Encoder as it begins."""
        return self._trainer.begin(self._initial_encoder(key, given))

    def _encode(self, variables: Variables, images: Array, **options: Any) -> Any:
        """What the encoder gives for what it reads, [N, R, R, C]: codes [N, L, W]."""
        encoder: Any = self.encoder
        pictures = encoder_input(images, encoder.input_size).astype(self.generator.precision)
        return apply(encoder, variables, pictures, **options)

    def _encode_batch(
        self, variables: Variables, images: Array, **options: Any
    ) -> tuple[Array, Variables]:
        """Codes [N, L, W] normalised by the batch, and the moved statistics."""
        moving = {"train": True, "mutable": ["batch_stats"]}
        return self._encode(variables, images, **moving, **options)

    def _synthesize(self, frozen: Frozen, ws: Array, key: Array) -> Array:
        """Pictures [N, R, R, 3] of codes, with fresh noise as in the original."""
        return apply(
            self.generator,
            frozen["generator"],
            ws,
            noise_mode="random",
            rngs={"noise": key},
            method="synthesize",
        )["image"]

    def _latent_terms(self, ws: Array, state: TrainState) -> tuple[Array, Scalars]:
        """Terms on the codes: [] weighted sum, and each."""
        if not self.options.w_norm:
            return jnp.zeros(()), {}
        average = state.networks[self.role]["buffers"]["w_avg"]
        value = w_norm(ws, average)
        return self.options.w_norm * value, {"loss/w_norm": value}

    def _encode_options(self, state: TrainState) -> dict[str, Any]:
        """Further arguments of the encoder."""
        del state
        return {}

    def train_encoder(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the encoder."""
        variables = state.networks[self.role]
        options = self._encode_options(state)

        def loss(params: Any, stats: Any, part: Batch, key: Array):
            source_key, noise_key = jax.random.split(key)
            moving = {**variables, "params": params, "batch_stats": stats}
            source = self.task.source(part, source_key)
            ws, moved = self._encode_batch(moving, source, **options)
            made = self._synthesize(frozen, ws, noise_key)
            value, scalars = self.criteria(frozen, made, as_float(part["image"]))
            latent, more = self._latent_terms(ws, state)
            value = value + latent
            scalars = {"loss/encoder": value, **scalars, **more}
            return value, (moved["batch_stats"], scalars)

        return self._trainer.update_normalised(state, loss, batch, key)

    def _reconstruct(self, state: TrainState, frozen: Frozen, source: Array) -> Array:
        """Pictures [N, R, R, 3] as users would get them of the encoder as far as it is trained."""
        options = self._encode_options(state)
        ws = self._encode(state.networks[self.role], source, **options)
        method = EncoderMethod(self.generator, self.encoder, self.role)
        return method.reconstruct(frozen, Inversion(ws))

    def show(self, state: TrainState, frozen: Frozen, examples: Batch) -> dict[str, Array]:
        """What the encoder reads, the picture where that is another one, and what is made of it."""
        images, source = as_float(examples["image"]), self.task.unseen(examples)
        made = pool_to(self._reconstruct(state, frozen, source), images.shape[1])
        if isinstance(self.task, Invert):
            return {"inversions": columns(images, made)}
        return {"translations": columns(shown(source, images), images, made)}

    def evaluate(self, state: TrainState, frozen: Frozen, batch: Batch) -> Scalars:
        """The criteria on unseen pictures."""
        made = self._reconstruct(state, frozen, self.task.unseen(batch))
        return self.criteria.figures(frozen, made, as_float(batch["image"]))

    def bundle(self, state: TrainState) -> Bundle:
        """The encoder under its role."""
        return Bundle({self.role: Network(self.encoder, state.networks[self.role])})
