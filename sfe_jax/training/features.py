"""Training of the network that knows procedural faces: their attributes, and who it is.

Every batch holds two pictures of each person, with attributes of their own; a picture must be
nearer to the other one of its person than to everybody else's.

Source: of the identity loss, SimCLR (arXiv:2002.05709), equation 1.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import optax

from sfe_jax.core.errors import OptionError
from sfe_jax.core.precision import product_precision
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array
from sfe_jax.data.faces import ATTRIBUTES
from sfe_jax.optim.ema import ema_decay, update_ema
from sfe_jax.perceptual.face_features import FaceFeatures
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.training.method import Batch, Frozen, Phase, Scalars, Trainer, TrainState, as_float
from sfe_jax.training.recipe import Setting


@dataclass
class FeaturesOptions:
    """Sizes of the network and weights of its losses."""

    channels: tuple[int, ...] = (16, 32, 64, 96, 128)  # At R, R/2, ..., 4.
    embedding_size: int = 64  # Size of the embedding.
    learning_rate: float = 0.002
    identity_weight: float = 0.01  # Of the identity loss; attributes have 1.
    temperature: float = 0.1  # Of the identity loss.
    ema_images: float = 10_000.0  # Half-life of the averaged network.

    def build(self, setting: Setting) -> "Features":
        """The network for pictures of `setting`."""
        names = tuple(row.name for row in ATTRIBUTES)
        module = FaceFeatures(names, self.channels, self.embedding_size, setting.channels)
        if module.input_size != setting.resolution:
            raise OptionError(
                f"`channels` {self.channels} are for pictures of {module.input_size}, the data has "
                f"{setting.resolution}; required is one width per halving down to 4"
            )
        return Features(module, setting.batch_size, self)


def attribute_loss(predicted: Array, true: Array) -> Array:
    """Mean squared error in units of each attribute's range: two [N, A] -> []."""
    span = jnp.asarray([row.high - row.low for row in ATTRIBUTES], jnp.float32)
    return jnp.mean(jnp.square((predicted - true) / span[None]))


def identity_contrast(embeddings: Array, *, temperature: float) -> tuple[Array, Array]:
    """How well neighbours 2i and 2i + 1 find each other among all.

        mean of -log softmax(<e_i, e_j> / temperature) at the partner, j over all others

    Args:
        embeddings: [N, E] of unit length, N even; pictures 2i and 2i + 1 show the same person.
        temperature: Positive.

    Returns:
        [] loss, and [] share of pictures whose nearest is their partner.

    Source: SimCLR (arXiv:2002.05709), equation 1.
    """
    count = embeddings.shape[0]
    precision = product_precision(embeddings.dtype)
    logits = jnp.matmul(embeddings, embeddings.T, precision=precision) / temperature
    logits = jnp.where(jnp.eye(count, dtype=bool), -jnp.inf, logits)
    partner = jnp.arange(count) ^ 1
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, partner)
    found = jnp.mean((jnp.argmax(logits, axis=1) == partner).astype(jnp.float32))
    return jnp.mean(losses), found


@dataclass(frozen=True)
class Features:
    """The method `features`."""

    network: FaceFeatures
    batch_size: int  # Pictures of a step, over all devices.
    options: FeaturesOptions

    @property
    def frozen(self) -> Frozen:
        """No network is frozen."""
        return {}

    @cached_property
    def _trainer(self) -> Trainer:
        return Trainer("features", optax.adam(self.options.learning_rate, b1=0.9, b2=0.99))

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One: both losses together."""
        return (Phase("features", self.train),)

    @property
    def given(self) -> Frozen:
        """It begins with random weights."""
        return {}

    def init(self, key: Array, given: Frozen) -> TrainState:
        """Random networks."""
        del given
        size, channels = self.network.input_size, self.network.image_channels
        variables = self.network.init(key, jnp.zeros((1, size, size, channels)))
        average = jax.tree.map(jnp.copy, variables)
        return self._trainer.begin(variables)._replace(averages={"features": average})

    def _losses(self, variables: Any, batch: Batch) -> tuple[Array, Scalars]:
        reading = apply(self.network, variables, as_float(batch["image"]))
        attributes = attribute_loss(reading["attributes"], batch["attributes"])
        identity, found = identity_contrast(
            reading["embedding"], temperature=self.options.temperature
        )
        value = attributes + self.options.identity_weight * identity
        scalars = {"loss/attributes": attributes, "loss/identity": identity, "found": found}
        return value, scalars

    def train(
        self, state: TrainState, frozen: Frozen, batch: Batch, key: Array
    ) -> tuple[TrainState, Scalars]:
        """Moves the network and its average."""
        del frozen

        def loss(params: Any, carry: None, part: Batch, key: Array):
            del key
            value, scalars = self._losses({"params": params}, part)
            return value, (carry, scalars)

        state, _, scalars = self._trainer.update(state, loss, None, batch, key)
        decay = ema_decay(
            self.batch_size,
            state.step * self.batch_size,
            half_life=self.options.ema_images,
            ramp_up=0.05,
        )
        average = update_ema(state.averages["features"], state.networks["features"], decay)
        return state._replace(averages={"features": average}), scalars

    def show(self, state: TrainState, frozen: Frozen, examples: Batch) -> dict[str, Array]:
        """The examples, ordered by how much they smile: a look at the data and at one attribute."""
        del frozen
        images = as_float(examples["image"])
        images = images[: len(images) // 8 * 8]
        reading = apply(self.network, state.averages["features"], images)
        order = jnp.argsort(reading["attributes"][:, 0])
        return {"by_smile": images[order].reshape(-1, 8, *images.shape[1:])}

    def evaluate(self, state: TrainState, frozen: Frozen, batch: Batch) -> Scalars:
        """Losses of the average, and the mean absolute error of each attribute."""
        del frozen
        variables = state.averages["features"]
        _, scalars = self._losses(variables, batch)
        predicted = apply(self.network, variables, as_float(batch["image"]))["attributes"]
        errors = jnp.mean(jnp.abs(predicted - batch["attributes"]), axis=0)
        names = self.network.attribute_names
        return {**scalars, **{f"error/{n}": errors[i] for i, n in enumerate(names)}}

    def bundle(self, state: TrainState) -> Bundle:
        """The averaged network as "features"."""
        return Bundle({"features": Network(self.network, state.averages["features"])})
