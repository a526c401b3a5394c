"""Projection: the code whose picture looks most like a given one, found by gradient descent.

Code and noise maps of a picture are learned together. Noise on the code, which fades, keeps the
search from the nearest valley; a penalty keeps noise maps white, so that they cannot hold the
picture. Every picture has a code, noise maps and an Adam of its own and all draws alike, so that
its result does not depend on the pictures that are projected beside it.

Source: StyleGAN2 (arXiv:1912.04958), section 5 and appendix D; stylegan2-ada-pytorch projector.py.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from sfe_jax.core.trees import apply, flatten, unflatten
from sfe_jax.core.types import Array, Variables
from sfe_jax.models.generator import StyleGenerator

SMALLEST_NOISE = 8
"""Pixels a side at which the pyramid of a noise map ends."""


class Distance(Protocol):
    """How different two pictures look, in two steps: a target is looked at once."""

    def look(self, variables: Variables, images: Array) -> Any:
        """What is compared of pictures [N, R, R, 3] in [-1, 1]: arrays with leading axis N."""
        ...

    def compare(self, variables: Variables, seen: Any, target: Any) -> Array:
        """Distances [N] of what `look` gave of pictures and of their targets; 0 if equal."""
        ...


@dataclass(frozen=True)
class ProjectionOptions:
    """The search of one picture. Defaults are the original's; lengths are shares of all steps."""

    steps: int = 1000
    learning_rate: float = 0.1  # Of Adam, at its highest.
    ramp_up: float = 0.05  # How long the learning rate rises, linearly from 0.
    ramp_down: float = 0.25  # How long it falls, to 0 along a cosine.
    code_noise: float = 0.05  # On the code at the start, in spreads of W.
    code_noise_length: float = 0.75  # Until it is gone.
    whiteness: float = 1e5  # Weight of the penalty on noise maps.


class CodeStatistics(NamedTuple):
    """Where the codes of a mapping network lie."""

    mean: np.ndarray  # float32 [W].
    spread: np.float32  # Root of the mean squared distance from it.


class Learned(NamedTuple):
    """What is learned of N pictures; without the leading axis, of one."""

    codes: Array  # [N, 1, W] in W, [N, L, W] in W+.
    noises: dict[str, Array]  # Path of a noise map in the generator -> [N, r, r].


class ProjectionState(NamedTuple):
    """A search on its way."""

    step: Array  # [], steps taken.
    learned: Learned
    optimizer: Any  # Of optax, every array with leading axis N.


def code_statistics(samples: np.ndarray) -> CodeStatistics:
    """Mean and spread of codes [M, W], such as `sampling.sample_w` draws.

    Source: stylegan2-ada-pytorch projector.py.
    """
    mean = samples.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.mean(np.sum(np.square(samples - mean), axis=1)))
    return CodeStatistics(mean.astype(np.float32), np.float32(spread))


# Schedules of t, the share of all steps that are taken.


def learning_rate_share(t: Array, *, up: float, down: float) -> Array:
    """Share of the highest learning rate at t in [0, 1): linear rise, cosine fall."""
    falling = 0.5 - 0.5 * jnp.cos(math.pi * jnp.minimum(1, (1 - t) / down))
    return falling * jnp.minimum(1, t / up)


def code_noise_share(t: Array, *, length: float) -> Array:
    """Share of the first noise on the code at t in [0, 1): max(0, 1 - t / length)^2."""
    return jnp.square(jnp.maximum(0, 1 - t / length))


# Noise maps.


def noise_maps(variables: Variables) -> dict[str, Array]:
    """The stored noise maps [r, r] of a generator by path; there are none in StyleGAN3."""
    paths = flatten(variables).items()
    return {path: x for path, x in paths if path.rpartition("/")[2] == "noise_const"}


def with_noise_maps(variables: Variables, maps: Mapping[str, Array]) -> Variables:
    """The variables of a generator with other noise maps."""
    return unflatten({**flatten(variables), **maps})


def draw_noise_maps(maps: dict[str, Array], key: Array) -> dict[str, Array]:
    """Normally distributed maps in the place of given ones, in one draw."""
    flat, unravel = ravel_pytree(maps)
    return unravel(jax.random.normal(key, flat.shape))


def colour_of_noise(noise: Array) -> Array:
    """How far a map is from white noise: correlation of neighbours, at all scales.

        sum over scales of mean(n shift_x(n))^2 + mean(n shift_y(n))^2

    Scales are the map and its 2x2 means down to 8x8.

    Args:
        noise: [r, r], of zero mean and unit variance.

    Returns:
        [], 0 for white noise in the limit of large maps.

    Source: StyleGAN2 (arXiv:1912.04958), appendix D.
    """
    total = jnp.zeros(())
    while True:
        for axis in (0, 1):
            total += jnp.square(jnp.mean(noise * jnp.roll(noise, 1, axis)))
        side = noise.shape[0]
        if side <= SMALLEST_NOISE:
            return total
        noise = jnp.mean(noise.reshape(side // 2, 2, side // 2, 2), axis=(1, 3))


def standardise_noise(noise: Array) -> Array:
    """A map [r, r] moved and scaled to zero mean and unit mean square."""
    noise = noise - jnp.mean(noise)
    return noise * jax.lax.rsqrt(jnp.mean(jnp.square(noise)))


# The search.


@dataclass(frozen=True)
class Projection:
    """The search of codes as pure functions, to be jitted."""

    generator: StyleGenerator
    distance: Distance
    options: ProjectionOptions

    def begin(self, variables: Variables, codes: Array, key: Array) -> ProjectionState:
        """Starts at codes.

        Args:
            variables: Of the generator.
            codes: [N, 1, W] to search in W, [N, L, W] in W+.
            key: Of the first noise maps, which all pictures share.
        """
        noises = draw_noise_maps(noise_maps(variables), key)
        repeated = {path: jnp.repeat(x[None], len(codes), 0) for path, x in noises.items()}
        learned = Learned(codes, repeated)
        optimizer = jax.vmap(optax.scale_by_adam().init)(learned)
        return ProjectionState(jnp.zeros((), jnp.int32), learned, optimizer)

    def ws(self, state: ProjectionState) -> Array:
        """Codes W+ [N, L, W] of the state."""
        count, _, width = state.learned.codes.shape
        return jnp.broadcast_to(state.learned.codes, (count, self.generator.num_ws, width))

    def _loss(
        self, learned: Learned, networks: Mapping[str, Variables], target: Any, disturbance: Array
    ) -> tuple[Array, Array]:
        """What Adam lowers for one picture, and its perceptual distance, both []."""
        codes = learned.codes + disturbance
        ws = jnp.broadcast_to(codes, (1, self.generator.num_ws, codes.shape[1]))
        variables = with_noise_maps(networks["generator"], learned.noises)
        image = apply(self.generator, variables, ws, method="synthesize")["image"]
        seen = self.distance.look(networks["distance"], image)
        target = jax.tree.map(lambda x: x[None], target)
        (distance,) = self.distance.compare(networks["distance"], seen, target)
        colour = sum(map(colour_of_noise, learned.noises.values()), start=jnp.zeros(()))
        return distance + self.options.whiteness * colour, distance

    def step(
        self,
        networks: Mapping[str, Variables],
        state: ProjectionState,
        targets: Any,
        *,
        spread: Array | np.float32,
        key: Array,
    ) -> tuple[ProjectionState, Array]:
        """Moves codes and noise maps once.

        Steps are not joined in one program by a loop of XLA: on CPU, convolutions inside a loop
        took five times as long.

        Args:
            networks: Variables of "generator" and "distance".
            state: From `begin`, or from here.
            targets: What `distance.look` gave of the N pictures.
            spread: [], of the codes, from `code_statistics`.
            key: Of the noise on the codes; the same in every step.

        Returns:
            The state, and the perceptual distances [N] that were met.
        """
        options, t = self.options, state.step.astype(jnp.float32) / self.options.steps
        noise = options.code_noise * code_noise_share(t, length=options.code_noise_length)
        draw = jax.random.normal(jax.random.fold_in(key, state.step), state.learned.codes.shape[1:])
        disturbance = spread * noise * draw
        share = learning_rate_share(t, up=options.ramp_up, down=options.ramp_down)
        rate = options.learning_rate * share

        def one(learned: Learned, optimizer: Any, target: Any):
            slopes, distance = jax.grad(self._loss, has_aux=True)(
                learned, networks, target, disturbance
            )
            updates, optimizer = optax.scale_by_adam().update(slopes, optimizer)
            codes, noises = jax.tree.map(lambda x, u: x - rate * u, learned, updates)
            return Learned(codes, jax.tree.map(standardise_noise, noises)), optimizer, distance

        learned, optimizer, distances = jax.vmap(one)(state.learned, state.optimizer, targets)
        return ProjectionState(state.step + 1, learned, optimizer), distances
