"""The picture discriminator that SFE trains beside its encoders, from a given image count on.

Source: SFE (arXiv:2406.10601), section 3.2; StyleFeatureEditor training/losses.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax.numpy as jnp
import optax

from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from sfe_jax.models.discriminator import Discriminator
from sfe_jax.pipelines.bundle import Network
from sfe_jax.training.method import Batch, Frozen, Phase, Scalars, Trainer, TrainState, as_float
from sfe_jax.training.recipe import Setting

Fakes = Callable[[TrainState, Frozen, Batch, Array], Array]
"""(state, frozen, batch, key) -> pictures [M, R, R, 3] that the encoder makes of a batch."""


@dataclass
class AdversaryOptions:
    """How the discriminator plays. Durations are in images."""

    start: int = 360_000  # Images seen before it plays: 45,000 steps of 8. -1 for never.
    weight: float = 0.01  # Of its opinion in the encoder's loss.
    learning_rate: float = 1e-4  # Of Adam.
    r1_gamma: float = 10.0  # Weight of R1; half of it multiplies the penalty.
    r1_interval: int = 16  # Steps from one with R1 to the next; 0 for none.


@dataclass(frozen=True)
class Adversary:
    """A discriminator in training; it begins as the one of the recipe's weights.

    Where we differ from the original: it sees fakes of a pass of its own, after the encoder's step.
    """

    options: AdversaryOptions
    initial: Network  # Module and weights to begin with.

    @property
    def module(self) -> Discriminator:
        """The network."""
        return self.initial.module  # pyright: ignore

    @property
    def trainer(self) -> Trainer:
        """Its optimiser."""
        optimizer = optax.adam(self.options.learning_rate, b1=0.9, b2=0.999)
        return Trainer("discriminator", optimizer)

    @property
    def given(self) -> Frozen:
        """The weights to begin with."""
        return {"discriminator": self.initial.variables}

    def join(self, state: TrainState, given: Frozen) -> TrainState:
        """The state with the discriminator in it."""
        variables = given["discriminator"]
        networks = {**state.networks, "discriminator": variables}
        opt_state = self.trainer.init(variables["params"])
        return state._replace(
            networks=networks, optimizers={**state.optimizers, "discriminator": opt_state}
        )

    def opinion(self, state: TrainState, images: Array) -> tuple[Array, Scalars]:
        """Weighted loss of the encoder for pictures that do not look real."""
        logits = apply(self.module, state.networks["discriminator"], images)
        value = generator_loss(logits)
        return self.options.weight * value, {"loss/adversarial": value}

    def _loss(self, params: Any, real: Array, fake: Array) -> tuple[Array, Scalars]:
        """What the discriminator learns by: half the sum of both kinds' losses."""
        logits = [apply(self.module, {"params": params}, images) for images in (real, fake)]
        value = discriminator_loss(*logits) / 2
        names = ("logits/real", "logits/fake")
        means = {name: jnp.mean(x) for name, x in zip(names, logits, strict=True)}
        return value, {"loss/discriminator": value, **means}

    def _penalty(self, params: Any, real: Array) -> tuple[Array, Scalars]:
        """R1, weighted for the steps that go without it."""
        judge = partial(apply, self.module, {"params": params})
        penalty = jnp.mean(r1_penalty(judge, real)[0])
        weight = self.options.r1_gamma / 2 * self.options.r1_interval
        return weight * penalty, {"loss/r1": penalty}

    def phases(self, fakes: Fakes) -> tuple[Phase, ...]:
        """The discriminator; in every `r1_interval`-th step with R1, as one loss and one step."""

        def train(
            state: TrainState, frozen: Frozen, batch: Batch, key: Array, *, regularized: bool
        ) -> tuple[TrainState, Scalars]:
            def loss(params: Any, carry: None, part: Batch, key: Array):
                del key
                value, scalars = self._loss(params, part["real"], part["fake"])
                if regularized:
                    penalty, more = self._penalty(params, part["real"])
                    value, scalars = value + penalty, {**scalars, **more}
                return value, (carry, scalars)

            pictures = {"real": as_float(batch["image"]), "fake": fakes(state, frozen, batch, key)}
            state, _, scalars = self.trainer.update(state, loss, None, pictures, key)
            return state, scalars

        name, start, interval = "discriminator", self.options.start, self.options.r1_interval
        plain = Phase(name, partial(train, regularized=False), start=start, yields=interval)
        if not interval:
            return (plain,)
        with_r1 = partial(train, regularized=True)
        return plain, Phase(f"{name}_with_r1", with_r1, interval, start)


class Train(Protocol):
    """A step of a network in training that an adversary may judge."""

    def __call__(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array, *, judged: bool
    ) -> tuple[TrainState, Scalars]:
        """Takes the step; `judged` by the adversary too."""
        ...


def phases_with(
    adversary: Adversary | None, name: str, train: Train, fakes: Fakes
) -> tuple[Phase, ...]:
    """The phase `name`, and from the adversary's start on, the judged one and the adversary's.

    Args:
        adversary: None if there is none.
        name: Of the phase.
        train: Its step.
        fakes: What the adversary judges.
    """
    alone = partial(train, judged=False)
    if adversary is None:
        return (Phase(name, alone),)
    start = adversary.options.start
    return (
        Phase(name, alone, stop=start),
        Phase(f"{name}_against_adversary", partial(train, judged=True), start=start),
        *adversary.phases(fakes),
    )


def given_with(adversary: Adversary | None) -> Frozen:
    """The weights that the adversary begins with; empty if there is none."""
    return {} if adversary is None else adversary.given


def state_with(adversary: Adversary | None, state: TrainState, given: Frozen) -> TrainState:
    """The state before the first step, with the adversary in it if there is one."""
    return state if adversary is None else adversary.join(state, given)


def networks_with(adversary: Adversary | None, state: TrainState) -> dict[str, Network]:
    """The adversary's network as it is released; empty if there is none."""
    if adversary is None:
        return {}
    return {"discriminator": Network(adversary.module, state.networks["discriminator"])}


def build_adversary(options: AdversaryOptions, setting: Setting) -> Adversary | None:
    """The adversary with the discriminator of the recipe's weights; None if it never plays."""
    if options.start < 0:
        return None
    network = setting.network("discriminator")
    module: Any = network.module.clone(precision=setting.precision, neighbours=True)
    return Adversary(options, Network(module, network.variables))
