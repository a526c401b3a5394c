"""Pivotal tuning: the generator is moved until it shows a picture at a fixed code, the pivot.

Every picture has a copy of the synthesis network and an Adam of its own. A penalty, if it is
wanted, holds the copy to the first generator at codes around the pivot.

All functions are those of one picture: `jax.vmap` tunes several copies together where that pays.

Source: PTI (arXiv:2106.05744), section 3; PTI training/coaches and criteria/localitly_regulizer.py.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.latents.projection import Distance
from sfe_jax.latents.sampling import one_hot
from sfe_jax.models.generator import StyleGenerator


@dataclass(frozen=True)
class TuningOptions:
    """The tuning of one picture. Defaults are the original's."""

    steps: int = 350
    learning_rate: float = 3e-4
    l2: float = 1.0  # Weight of the mean squared error.
    perceptual: float = 1.0  # Weight of the perceptual distance.
    enough: float = 0.06  # Perceptual distance that ends the tuning of a picture.
    locality: float = 0.0  # Weight of locality; 0.1 in the original where it is on.
    locality_radius: float = (
        0.3125  # Root mean square: the original's 30 over its 18 x 512 numbers.
    )
    locality_psi: float = 0.5  # Truncation of the codes towards which it looks.
    locality_samples: int = 1  # Codes of a step.
    class_index: int | None = None  # Of those codes, if the generator has classes.


class TuningState(NamedTuple):
    """A copy of a generator on its way."""

    step: Array  # [], steps done, with those in which nothing had to be moved.
    params: Any  # Parameters of the synthesis network.
    optimizer: Any  # Of optax.
    distance: Array  # [], perceptual, as met by the last step.
    taken: Array  # [], steps until the distance was enough.


def point_around(pivot: Array, ws: Array, *, radius: float) -> Array:
    """Codes on the way from a pivot to others, at a distance of `radius`.

        pivot + radius sqrt(L W) (ws - pivot) / |ws - pivot|

    Args:
        pivot: [L, W].
        ws: [M, L, W].
        radius: Root mean square over the L W numbers of a code.

    Returns:
        [M, L, W].

    Source: PTI (arXiv:2106.05744), section 3.3.
    """
    direction = ws - pivot[None]
    length = jnp.sqrt(jnp.sum(jnp.square(direction), axis=(1, 2), keepdims=True))
    return pivot[None] + radius * math.sqrt(pivot.size) * direction / length


def with_synthesis(variables: Variables, params: Any) -> Variables:
    """The variables of a generator with other parameters of its synthesis network."""
    return {**variables, "params": {**variables["params"], "synthesis": params}}


@dataclass(frozen=True)
class PivotalTuning:
    """The tuning as pure functions, to be jitted."""

    generator: StyleGenerator
    distance: Distance
    options: TuningOptions

    def begin(self, variables: Variables) -> TuningState:
        """The generator as it is."""
        params = variables["params"]["synthesis"]
        zero = jnp.zeros((), jnp.int32)
        optimizer = optax.adam(self.options.learning_rate).init(params)
        return TuningState(zero, params, optimizer, jnp.full((), jnp.inf), zero)

    def _show(self, variables: Variables, ws: Array, **options: Any) -> Array:
        """Pictures [M, R, R, 3] of codes [M, L, W]."""
        return apply(self.generator, variables, ws, method="synthesize", **options)["image"]

    def _locality(
        self, variables: Variables, tuned: Variables, distance: Variables, pivot: Array, key: Array
    ) -> Array:
        """How much a copy differs from the first generator around its pivot, []."""
        options = self.options
        z = jax.random.normal(key, (options.locality_samples, self.generator.z_dim))
        labels = jnp.asarray(one_hot(options.class_index, self.generator.c_dim, len(z)))
        psi = options.locality_psi
        codes = apply(self.generator, variables, z, labels, psi=psi, method="map")
        ws = point_around(pivot, codes, radius=options.locality_radius)
        new, old = (self._show(x, ws, noise_mode="none") for x in (tuned, variables))
        seen, wanted = (self.distance.look(distance, x) for x in (new, old))
        perceptual = jnp.mean(self.distance.compare(distance, seen, wanted))
        return jnp.mean(jnp.square(new - old)) + perceptual

    def _loss(
        self,
        params: Any,
        networks: Mapping[str, Variables],
        image: Array,
        target: Any,
        pivot: Array,
        key: Array,
    ) -> tuple[Array, Array]:
        """What Adam lowers for one picture, and its perceptual distance, both []."""
        options, variables, eyes = self.options, networks["generator"], networks["distance"]
        tuned = with_synthesis(variables, params)
        shown = self._show(tuned, pivot[None])
        target = jax.tree.map(lambda x: x[None], target)
        (distance,) = self.distance.compare(eyes, self.distance.look(eyes, shown), target)
        l2 = jnp.mean(jnp.square(shown[0] - image))
        loss = options.l2 * l2 + options.perceptual * distance
        if options.locality:
            locality = self._locality(variables, tuned, eyes, pivot, key)
            loss = loss + options.locality * locality
        return loss, distance

    def step(
        self,
        networks: Mapping[str, Variables],
        state: TuningState,
        image: Array,
        target: Any,
        *,
        pivot: Array,
        key: Array,
    ) -> TuningState:
        """Moves the copy once, unless its distance is `enough` already.

        Args:
            networks: Variables of "generator", as it was at first, and "distance".
            state: From `begin`, or from here.
            image: [R, R, 3] in [-1, 1].
            target: What `distance.look` gave of it, without the leading axis.
            pivot: [L, W].
            key: Of the codes around the pivot; the same in every step.
        """
        slope = jax.grad(self._loss, has_aux=True)
        key = jax.random.fold_in(key, state.step)
        slopes, distance = slope(state.params, networks, image, target, pivot, key)
        adam = optax.adam(self.options.learning_rate)
        updates, optimizer = adam.update(slopes, state.optimizer)
        done = distance <= self.options.enough
        params, optimizer = jax.tree.map(
            lambda old, new: jnp.where(done, old, new),
            (state.params, state.optimizer),
            (optax.apply_updates(state.params, updates), optimizer),
        )
        taken = state.taken + jnp.where(done, 0, 1)
        return TuningState(state.step + 1, params, optimizer, distance, taken)
