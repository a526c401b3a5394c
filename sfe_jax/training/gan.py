"""Training of a StyleGAN2 or StyleGAN3 generator and of its discriminator.

Five phases a step: the generator, lazily its path lengths, the discriminator, lazily its R1, and
the averaged generator. StyleGAN3 leaves path lengths and mixed codes out, and its configuration R
blurs what the discriminator sees in the beginning.

Where we differ from the originals: each network has one moving state of Adam, as there, but
gradients that are not finite stop the run instead of being set to 0; average code and magnitudes
are moved by the codes of all devices, in durations that do not depend on `accumulate`; groups of
the minibatch statistic are of neighbours, so that they stay on one device.

Source: StyleGAN2 (arXiv:1912.04958); ADA (arXiv:2006.06676); StyleGAN3 (arXiv:2106.12423);
stylegan2-ada-pytorch and stylegan3, training/training_loop.py and training/loss.py.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from sfe_jax.augment.ada import (
    ADJUSTMENT_INTERVAL,
    AdaState,
    adjust_p,
    augment,
    init_ada,
    observe_logits,
)
from sfe_jax.augment.pipeline import Pipeline, named_pipeline
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.losses.adversarial import (
    discriminator_loss,
    generator_loss,
    path_length_penalty,
    path_lengths,
    r1_penalty,
)
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.generator import StyleGenerator
from sfe_jax.models.layer_table import channel_table
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.ops.blur import gaussian_blur
from sfe_jax.optim.ema import ema_decay, update_ema
from sfe_jax.parallel.mesh import spread, whole_shares
from sfe_jax.pipelines.bundle import Bundle, Network, example_inputs, load_bundle
from sfe_jax.training.alias_free import AliasFreeOptions
from sfe_jax.training.gan_optimizers import first_layers, freeze, lazy_adam
from sfe_jax.training.method import (
    Batch,
    Frozen,
    Phase,
    Scalars,
    Trainer,
    TrainState,
    as_float,
    grid_shape,
)
from sfe_jax.training.recipe import Setting
from sfe_jax.training.tracking import synthesize_tracking
from sfe_jax.training.transfer import transfer

TRANSFER_ADA_IMAGES = 100_000.0
"""Images in which p can rise from 0 to 1 after a transfer, at most."""


@dataclass
class GanOptions:
    """Sizes of the networks and rules of the game. Defaults are configuration F on FFHQ."""

    channel_base: int = 32768  # Channels at resolution r: min(base / r, maximum).
    channel_max: int = 512
    z_dim: int = 512  # Size Z of the input.
    w_dim: int = 512  # Size W of the codes.
    mapping_layers: int = 8
    use_noise: bool = True  # Whether StyleGAN2's generator adds noise; StyleGAN3's never does.
    alias_free: AliasFreeOptions | None = None  # StyleGAN3's generator; None for StyleGAN2's.
    group_size: int = 4  # Of the minibatch statistic.
    conv_clamp: float | None = None  # Bound of every layer's outputs; 256 with bfloat16.
    # Bundle to transfer from, without blur and ramp, and with an augmentation that adapts faster,
    # as the originals do; "" for random weights.
    initial: str = ""
    generator_learning_rate: float = 0.002
    discriminator_learning_rate: float = 0.002
    r1_gamma: float = 10.0  # Weight of R1; half of it multiplies the penalty.
    r1_interval: int = 16  # Steps between two R1 phases; 0 for none.
    path_length_weight: float = 2.0
    path_length_interval: int = 4  # Steps between two path-length phases; 0 for none.
    path_length_shrink: int = 2  # The phase takes the batch divided by this.
    mixing: float = 0.9  # Probability that two codes are mixed.
    w_avg_decay: float = 0.995  # Of the average code, a step.
    magnitude_images: float = 20_000.0  # Half-life of the magnitudes that StyleGAN3 divides by.
    blur_sigma: float = 0.0  # Pixels, of the first blur before the discriminator; 0 for none.
    blur_images: float = 200_000.0  # Images after which the blur is gone.
    ema_images: float = 10_000.0  # Half-life of the averaged generator.
    ema_ramp_up: float | None = None  # Limits it to this share of the images seen.
    augmentation: Literal["none", "fixed", "adaptive"] = "none"
    pipeline: str = "bgc"  # Which transforms; a name of `augment.pipeline.PIPELINES`.
    p: float = 0.0  # Probability at the start, or throughout if fixed.
    ada_target: float = 0.6  # Mean sign of D(real) that adaptation aims at.
    ada_images: float = 500_000.0  # Images in which p can rise from 0 to 1.
    frozen_layers: int = 0  # First layers of the discriminator that do not train (freeze-D).
    accumulate: int = 1  # Parts of a batch.

    def build(self, setting: Setting) -> "Gan":
        """The networks for pictures of `setting`."""
        shared: dict[str, Any] = {
            "c_dim": setting.label_size,
            "image_channels": setting.channels,
            "conv_clamp": self.conv_clamp,
            "precision": setting.precision,
        }
        discriminator = Discriminator(
            channels=self._channels(setting.resolution),
            group_size=self.group_size,
            neighbours=True,
            **shared,
        )
        generator = self._generator(setting.resolution, **shared)
        if not self.initial:
            return Gan(generator, discriminator, setting.batch_size, self)
        ada_images = min(self.ada_images, TRANSFER_ADA_IMAGES)
        options = replace(self, blur_sigma=0.0, ema_ramp_up=None, ada_images=ada_images)
        return Gan(generator, discriminator, setting.batch_size, options, load_bundle(self.initial))

    def _channels(self, resolution: int) -> tuple[int, ...]:
        """Channels of StyleGAN2's networks at 4, 8, ..., `resolution`."""
        return channel_table(resolution, base=self.channel_base, maximum=self.channel_max)

    def _generator(self, resolution: int, **shared: Any) -> StyleGenerator:
        """The generator; `shared` are fields that the discriminator has too."""
        shared |= {"z_dim": self.z_dim, "w_dim": self.w_dim, "mapping_layers": self.mapping_layers}
        if self.alias_free is None:
            channels = self._channels(resolution)
            return Generator(channels=channels, use_noise=self.use_noise, **shared)
        sizes = {"base": self.channel_base, "maximum": self.channel_max}
        return self.alias_free.build(resolution=resolution, **sizes, **shared)


def mix_codes(ws: Array, other: Array, key: Array, *, probability: float) -> Array:
    """Takes the rows from a random one on from other codes; one cutoff for the whole batch.

    Args:
        ws: [N, L, W].
        other: [N, L, W].
        key: Random key.
        probability: Of mixing at all.

    Returns:
        [N, L, W].

    Source: StyleGAN (arXiv:1812.04948), section 3.1; stylegan2-ada-pytorch, training/loss.py.
    """
    whether, where = jax.random.split(key)
    rows = ws.shape[1]
    cutoff = jax.random.randint(where, (), 1, rows)
    cutoff = jnp.where(jax.random.uniform(whether) < probability, cutoff, rows)
    return jnp.where(jnp.arange(rows)[None, :, None] < cutoff, ws, other)


@dataclass(frozen=True)
class Gan:
    """The method `gan`."""

    generator: StyleGenerator
    discriminator: Discriminator
    batch_size: int  # Pictures of a step, over all devices.
    options: GanOptions = field(default_factory=GanOptions)
    initial: Bundle | None = None  # Weights to transfer from; None starts from random ones.

    @property
    def frozen(self) -> Frozen:
        """No network is frozen."""
        return {}

    @cached_property
    def _pipeline(self) -> Pipeline | None:
        augmented = self.options.augmentation != "none"
        return named_pipeline(self.options.pipeline) if augmented else None

    @cached_property
    def _generator(self) -> Trainer:
        options = self.options
        interval = options.path_length_interval
        optimizer = lazy_adam(options.generator_learning_rate, interval)
        return Trainer("generator", optimizer, options.accumulate)

    @cached_property
    def _discriminator(self) -> Trainer:
        options = self.options
        optimizer = lazy_adam(options.discriminator_learning_rate, options.r1_interval)
        if options.frozen_layers:
            paths = first_layers(self.discriminator, options.frozen_layers)
            optimizer = optax.chain(optimizer, freeze(paths))
        return Trainer("discriminator", optimizer, options.accumulate)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Generator, path length, discriminator, R1, average."""
        options = self.options
        phases = [Phase("generator", self.train_generator)]
        if options.path_length_interval:
            interval = options.path_length_interval
            phases.append(Phase("path_length", self.regularize_generator, interval))
        phases.append(Phase("discriminator", self.train_discriminator))
        if options.r1_interval:
            phases.append(Phase("r1", self.regularize_discriminator, options.r1_interval))
        phases.append(Phase("average", self.average_generator))
        return tuple(phases)

    # State.

    @property
    def given(self) -> Frozen:
        """The networks to transfer from."""
        networks = {} if self.initial is None else self.initial.networks
        return {role: network.variables for role, network in networks.items()}

    def init(self, key: Array, given: Frozen) -> TrainState:
        """Random networks, or those of the bundle to transfer from."""
        roles = ("generator", "discriminator")
        keys: dict[str, Array] = dict(zip(roles, jax.random.split(key), strict=True))
        networks: dict[str, Variables] = {}
        for role, module in (("generator", self.generator), ("discriminator", self.discriminator)):
            inputs = [jnp.zeros(s.shape, s.dtype) for s in example_inputs(module)]
            networks[role] = module.init(keys[role], *inputs)
        average = networks["generator"]
        if self.initial is not None:
            held = self.initial.networks.items()
            placed = {role: Network(network.module, given[role]) for role, network in held}
            source = replace(self.initial, networks=placed)
            average = transfer(average, source, ("generator",))
            trained = (("generator_training", "generator"), ("discriminator",))
            for role, names in zip(networks, trained, strict=True):
                networks[role] = transfer(networks[role], source, names)
        trainers = (self._generator, self._discriminator)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            networks=networks,
            optimizers={t.role: t.init(networks[t.role]["params"]) for t in trainers},
            averages={"generator": jax.tree.map(jnp.copy, average)},
            extra={"ada": init_ada(self.options.p), "path_length": jnp.zeros(())},
        )

    # Parts that the losses share.

    def _true_labels(self, batch: Batch) -> Array | None:
        """Labels of a batch; None if the networks do not know them, whether the data has or not."""
        return batch["label"] if self.generator.c_dim else None

    def _labels(self, batch: Batch, key: Array) -> Array | None:
        """Labels for pictures to be made: those of the batch in another order."""
        c = self._true_labels(batch)
        return None if c is None else jax.random.permutation(key, c)

    def _codes(self, variables: Variables, count: int, c: Array | None, key: Array) -> Array:
        """Mixed codes W+ [N, L, W] of random z."""
        z_key, mix_key = jax.random.split(key)
        # The codes of the first pictures do not depend on `count`.
        z = jax.random.normal(z_key, (count, 2, self.generator.z_dim))
        ws = apply(self.generator, variables, spread(z[:, 0]), c, method="map")
        if not self.options.mixing:
            return ws
        other = apply(self.generator, variables, spread(z[:, 1]), c, method="map")
        return mix_codes(ws, other, mix_key, probability=self.options.mixing)

    def _pictures(self, variables: Variables, ws: Array, key: Array) -> Array:
        """Pictures [N, R, R, C] of codes, with fresh noise."""
        return apply(
            self.generator,
            variables,
            ws,
            noise_mode="random",
            rngs={"noise": key},
            method="synthesize",
        )["image"]

    def _blur(self, images: Array, step: Array) -> Array:
        """Pictures under the blur of a step, whose width falls linearly to 0."""
        largest = self.options.blur_sigma
        done = jnp.asarray(step * self.batch_size, jnp.float32) / self.options.blur_images
        return gaussian_blur(images, largest * jnp.maximum(1 - done, 0), largest=largest)

    def _judge(
        self, variables: Variables, images: Array, c: Array | None, key: Array, state: TrainState
    ) -> Array:
        """Logits [N, 1] of pictures as the discriminator sees them: blurred, then augmented."""
        if self.options.blur_sigma:
            images = self._blur(images, state.step)
        if self._pipeline is not None:
            images = augment(key, images, state.extra["ada"].p, pipeline=self._pipeline)
        return apply(self.discriminator, variables, images, c)

    # Phases.

    def train_generator(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the generator."""
        del frozen
        judge = state.networks["discriminator"]
        buffers = state.networks["generator"]["buffers"]

        def loss(params: Any, carry: None, part: Batch, key: Array):
            keys = jax.random.split(key, 4)
            variables = {"params": params, "buffers": buffers}
            count = part["image"].shape[0]
            c = self._labels(part, keys[0])
            ws = self._codes(variables, count, c, keys[1])
            images = self._pictures(variables, ws, keys[2])
            logits = self._judge(judge, images, c, keys[3], state)
            value = generator_loss(logits)
            return value, (carry, {"loss/generator": value, "logits/fake": jnp.mean(logits)})

        state, _, scalars = self._generator.update(state, loss, None, batch, key)
        return state, scalars

    def regularize_generator(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the generator towards paths of equal length."""
        del frozen
        options, buffers = self.options, state.networks["generator"]["buffers"]

        def loss(params: Any, mean: Array, part: Batch, key: Array):
            keys = jax.random.split(key, 4)
            variables = {"params": params, "buffers": buffers}
            count = max(part["image"].shape[0] // options.path_length_shrink, 1)
            shares = whole_shares(count)  # What is drawn for the first `count` stays the same.
            c = self._labels(part, keys[0])
            c = None if c is None else c[:shares]
            ws = self._codes(variables, shares, c, keys[1])
            lengths = path_lengths(
                lambda codes: self._pictures(variables, codes, keys[2]), ws, keys[3]
            )[:count]
            penalty, mean = path_length_penalty(lengths, mean)
            value = penalty * options.path_length_weight * options.path_length_interval
            return value, (mean, {"loss/path_length": penalty, "path_length": jnp.mean(lengths)})

        mean = state.extra["path_length"]
        state, mean, scalars = self._generator.update(state, loss, mean, batch, key)
        return state._replace(extra={**state.extra, "path_length": mean}), scalars

    def train_discriminator(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the discriminator, what the generator follows, and the augmentation."""
        del frozen
        generator = state.networks["generator"]

        def loss(params: Any, carry: tuple[AdaState, Variables], part: Batch, key: Array):
            ada, buffers = carry
            keys = jax.random.split(key, 5)
            real, judge = as_float(part["image"]), {"params": params}
            c = self._labels(part, keys[0])
            ws = self._codes(generator, real.shape[0], c, keys[1])
            fake, buffers = self._tracked_pictures({**generator, "buffers": buffers}, ws, keys[2])
            fake_logits = self._judge(judge, fake, c, keys[3], state)
            real_logits = self._judge(judge, real, self._true_labels(part), keys[4], state)
            value = discriminator_loss(real_logits, fake_logits)
            scalars = {
                "loss/discriminator": value,
                "logits/real": jnp.mean(real_logits),
                "signs/real": jnp.mean(jnp.sign(real_logits)),
            }
            return value, ((observe_logits(ada, real_logits), buffers), scalars)

        carry = (state.extra["ada"], generator["buffers"])
        state, (ada, buffers), scalars = self._discriminator.update(state, loss, carry, batch, key)
        if self.options.augmentation == "adaptive":
            ada = self._adapted(ada, state.step)
        scalars = {**scalars, "augmentation/p": ada.p}
        networks = {**state.networks, "generator": {**generator, "buffers": buffers}}
        return state._replace(networks=networks, extra={**state.extra, "ada": ada}), scalars

    def _tracked_pictures(
        self, variables: Variables, ws: Array, key: Array
    ) -> tuple[Array, Variables]:
        """Pictures for the discriminator, and the generator's buffers, moved."""
        options, count = self.options, ws.shape[0]
        return synthesize_tracking(
            self.generator,
            variables,
            ws,
            key,
            w_decay=options.w_avg_decay ** (count / self.batch_size),
            magnitude_decay=ema_decay(count, 0, half_life=options.magnitude_images, ramp_up=None),
        )

    def _adapted(self, ada: AdaState, step: Array) -> AdaState:
        """The adjusted probability, every `ADJUSTMENT_INTERVAL` steps."""
        options = self.options
        adjusted = adjust_p(
            ada,
            images=self.batch_size * ADJUSTMENT_INTERVAL,
            target=options.ada_target,
            speed=options.ada_images,
        )
        due = step % ADJUSTMENT_INTERVAL == 0
        return jax.tree.map(lambda new, old: jnp.where(due, new, old), adjusted, ada)

    def regularize_discriminator(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the discriminator towards small slopes at real pictures (R1)."""
        del frozen
        options, ada = self.options, state.extra["ada"]

        def loss(params: Any, ada: AdaState, part: Batch, key: Array):
            judge, c = {"params": params}, self._true_labels(part)
            penalty, logits = r1_penalty(
                lambda images: self._judge(judge, images, c, key, state),
                as_float(part["image"]),
            )
            value = jnp.mean(penalty) * (options.r1_gamma / 2 * options.r1_interval)
            return value, (observe_logits(ada, logits), {"loss/r1": jnp.mean(penalty)})

        state, ada, scalars = self._discriminator.update(state, loss, ada, batch, key)
        return state._replace(extra={**state.extra, "ada": ada}), scalars

    def average_generator(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the averaged generator towards the one in training, and copies its buffers."""
        del frozen, batch, key
        decay = ema_decay(
            self.batch_size,
            state.step * self.batch_size,
            half_life=self.options.ema_images,
            ramp_up=self.options.ema_ramp_up,
        )
        average = update_ema(state.averages["generator"], state.networks["generator"], decay)
        return state._replace(averages={**state.averages, "generator": average}), {}

    # Results.

    def show(self, state: TrainState, frozen: Frozen, examples: Batch) -> dict[str, Array]:
        """Pictures of fixed codes by the averaged generator."""
        del frozen
        shape = grid_shape(self.generator.resolution)
        key = jax.random.key(0)  # Fixed, so that grids can be compared.
        z = jax.random.normal(key, (*shape, self.generator.z_dim))
        c = self._true_labels(examples)
        c = None if c is None else jnp.resize(c, (*shape, self.generator.c_dim))
        variables = state.averages["generator"]

        def row(operands: tuple[Array, Array | None]) -> Array:
            z, c = operands
            ws = apply(self.generator, variables, spread(z), c, method="map")
            return apply(self.generator, variables, ws, method="synthesize")["image"]

        # Row by row: at once they would take several times the memory of a step.
        return {"fakes": jax.lax.map(row, (z, c))}

    def evaluate(self, state: TrainState, frozen: Frozen, batch: Batch) -> Scalars:
        """How the averaged generator's pictures fare with the discriminator."""
        del frozen
        key = jax.random.fold_in(jax.random.key(1), state.step)
        count = batch["image"].shape[0]
        c = self._true_labels(batch)
        average, judge = state.averages["generator"], state.networks["discriminator"]
        ws = self._codes(average, count, c, key)
        fake = self._pictures(average, ws, jax.random.fold_in(key, 1))
        logits = apply(self.discriminator, judge, fake, c)
        return {"logits/fake_average": jnp.mean(logits)}

    def bundle(self, state: TrainState) -> Bundle:
        """The averaged generator as "generator", and both networks as they train."""
        trained = Network(self.generator, state.networks["generator"])
        return Bundle(
            {
                "generator": Network(self.generator, state.averages["generator"]),
                "generator_training": trained,
                "discriminator": Network(self.discriminator, state.networks["discriminator"]),
            }
        )
