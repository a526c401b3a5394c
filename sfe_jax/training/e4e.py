"""Training of e4e: an encoder whose codes stay near W, so that they edit well.

First one code for all rows is learned, then row after row gets an offset of its own; offsets cost,
and a latent discriminator asks whether codes look like those of the mapping network.

Where we differ from the original: a step of the encoder and one of the latent discriminator see
codes of their own pass through the encoder, of which only the encoder's moves the statistics.

Source: e4e (arXiv:2102.02766), section 4; encoder4editing training/coach.py.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax

from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.losses.adversarial import discriminator_loss, r1_penalty
from sfe_jax.losses.latent import (
    POOL_SIZE,
    LatentPool,
    delta_loss,
    empty_pool,
    latent_adversarial_loss,
    pick_rows,
    query_pool,
)
from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.latent_discriminator import LatentDiscriminator
from sfe_jax.parallel.mesh import spread
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.training.criteria import CriteriaOptions, build_criteria
from sfe_jax.training.method import Batch, Frozen, Phase, Scalars, Trainer, TrainState, as_float
from sfe_jax.training.psp import EncoderOptions, Psp
from sfe_jax.training.recipe import Setting


@dataclass
class E4eOptions(EncoderOptions):
    """Options of e4e beside those of every encoder. Durations are in images.

    Rows get their offsets one after the other, whatever the encoder begins with.
    """

    criteria: CriteriaOptions = field(
        default_factory=lambda: CriteriaOptions(perceptual_network="lpips_alex", identity=0.5)
    )
    progressive_start: int = 160_000  # When row 1 gets its offset: 20,000 steps of 8.
    progressive_every: int = 16_000  # From one row to the next: 2,000 steps of 8.
    delta_weight: float = 2e-4  # Of the offsets' lengths.
    adversarial_weight: float = 0.1  # Of the latent discriminator's opinion.
    discriminator_learning_rate: float = 2e-5
    r1_gamma: float = 10.0
    r1_interval: int = 16  # Steps.
    pool_size: int = POOL_SIZE  # Codes of earlier steps that the latent discriminator meets again.

    def build(self, setting: Setting) -> "E4e":
        """The encoder for the generator in the recipe's weights."""
        generator = setting.network("generator")
        criteria, frozen = build_criteria(self.criteria, setting)
        frozen = {**frozen, "generator": generator.variables}
        module: Any = generator.module.clone(precision=setting.precision)
        encoder = E4eEncoder(**self.sizes(module))
        initial = self.beginning(setting, E4e.role)
        return E4e(module, encoder, self, criteria, frozen, initial, setting.batch_size)


@dataclass(frozen=True)
class E4e(Psp):
    """The method `e4e`."""

    role: ClassVar[str] = "e4e"

    @property
    def latent_discriminator(self) -> LatentDiscriminator:
        """As wide as the codes."""
        return LatentDiscriminator(self.generator.w_dim)

    @cached_property
    def _judge(self) -> Trainer:
        optimizer = optax.adam(self.options.discriminator_learning_rate, b1=0.9, b2=0.999)
        return Trainer("latent_discriminator", optimizer)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Latent discriminator, its R1, encoder."""
        return (
            Phase("latent_discriminator", self.train_discriminator),
            Phase("latent_r1", self.regularize_discriminator, self.options.r1_interval),
            Phase("encoder", self.train_encoder),
        )

    def stage(self, step: Array) -> Array:
        """Last row that has an offset in `step`: 0 at first, then one more at a time.

        It ends at L - 1, before the stage of inference, so that the price of offsets stays.

        Source: e4e (arXiv:2102.02766), section 4.3; encoder4editing training/coach.py.
        """
        options = self.options
        beyond = step * self.batch_size - options.progressive_start
        stage = 1 + beyond // options.progressive_every
        return jnp.clip(jnp.where(beyond < 0, 0, stage), 0, self.generator.num_ws - 1)

    def init(self, key: Array, given: Frozen) -> TrainState:
        """The encoder as it begins, a random latent discriminator, empty pools."""
        encoder_key, judge_key = jax.random.split(key)
        state = super().init(encoder_key, given)
        w_dim = self.generator.w_dim
        judge = self.latent_discriminator.init(judge_key, jnp.zeros((1, w_dim)))
        pools = {name: empty_pool(w_dim, size=self.options.pool_size) for name in ("real", "fake")}
        return state._replace(
            networks={**state.networks, self._judge.role: judge},
            optimizers={**state.optimizers, self._judge.role: self._judge.init(judge["params"])},
            extra=pools,
        )

    def _encode_options(self, state: TrainState) -> dict[str, Any]:
        """The stage of this step."""
        return {"stage": self.stage(state.step)}

    def _latent_terms(self, ws: Array, state: TrainState) -> tuple[Array, Scalars]:
        """Lengths of offsets, and the latent discriminator's opinion."""
        options, stage = self.options, self.stage(state.step)
        delta = delta_loss(ws, stage=stage)
        judge = state.networks[self._judge.role]
        logits = apply(self.latent_discriminator, judge, ws.reshape(-1, ws.shape[2]))
        adversarial = latent_adversarial_loss(logits.reshape(ws.shape[:2]), stage=stage)
        scalars = {
            "loss/delta": delta,
            "loss/latent_adversarial": adversarial,
            "stage": stage.astype(jnp.float32),
        }
        return options.delta_weight * delta + options.adversarial_weight * adversarial, scalars

    def _real_codes(self, frozen: Frozen, count: int, key: Array) -> Array:
        """Codes [N, W] of the mapping network."""
        z = spread(jax.random.normal(key, (count, self.generator.z_dim)))
        return apply(self.generator, frozen["generator"], z, method="map")[:, 0]

    def train_discriminator(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the latent discriminator."""
        keys = jax.random.split(key, 4)
        images = as_float(batch["image"])
        stage = self.stage(state.step)
        ws, _ = self._encode_batch(state.networks[self.role], images, stage=stage)
        fake = pick_rows(keys[0], ws, stage=stage)
        real = self._real_codes(frozen, images.shape[0], keys[1])
        pools: dict[str, LatentPool] = dict(state.extra)
        real, pools["real"] = query_pool(keys[2], pools["real"], real)
        fake, pools["fake"] = query_pool(keys[3], pools["fake"], fake)
        codes = {"real": real, "fake": fake}

        def loss(params: Any, carry: None, part: Batch, key: Array):
            del key
            logits = {
                name: apply(self.latent_discriminator, {"params": params}, part[name])
                for name in ("real", "fake")
            }
            value = discriminator_loss(logits["real"], logits["fake"])
            means = {f"latent_logits/{name}": jnp.mean(x) for name, x in logits.items()}
            return value, (carry, {"loss/latent_discriminator": value, **means})

        state, _, scalars = self._judge.update(state, loss, None, codes, key)
        return state._replace(extra=pools), scalars

    def regularize_discriminator(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the latent discriminator towards small slopes at real codes (R1)."""
        options = self.options
        real = self._real_codes(frozen, batch["image"].shape[0], key)

        def loss(params: Any, carry: None, part: Batch, key: Array):
            del key
            judge = {"params": params}
            penalty, _ = r1_penalty(
                lambda codes: apply(self.latent_discriminator, judge, codes), part["real"]
            )
            value = jnp.mean(penalty) * (options.r1_gamma / 2 * options.r1_interval)
            return value, (carry, {"loss/latent_r1": jnp.mean(penalty)})

        state, _, scalars = self._judge.update(state, loss, None, {"real": real}, key)
        return state, scalars

    def bundle(self, state: TrainState) -> Bundle:
        """The encoder as "e4e", and its latent discriminator."""
        judge = Network(self.latent_discriminator, state.networks[self._judge.role])
        return Bundle({**super().bundle(state).networks, self._judge.role: judge})
