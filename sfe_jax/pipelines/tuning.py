"""Tunes generators to pictures: the front door for Python users.

Example:
    tuner = Tuner(load_bundle("ffhq.safetensors"))
    tuned = tuner.tune(images, found.ws)             # uint8 [N, R, R, 3], codes of `Projector`
    save_bundle("own.safetensors", tuned.bundle(0))  # the bundle with the first one's generator
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.images import to_uint8
from sfe_jax.core.types import Array, Variables
from sfe_jax.latents.pivotal_tuning import (
    PivotalTuning,
    TuningOptions,
    TuningState,
    with_synthesis,
)
from sfe_jax.latents.sampling import one_hot
from sfe_jax.pipelines.batching import batches
from sfe_jax.pipelines.bundle import Bundle, Network
from sfe_jax.pipelines.reconstruction import (
    EVERY,
    Look,
    Reconstructor,
    Watch,
    check_steps,
)


class Tuned(NamedTuple):
    """Generators of n pictures, tuned or on their way."""

    ws: np.ndarray  # float32 [n, L, W], the pivots.
    images: np.ndarray  # uint8 [n, R, R, 3], what the generators show there.
    distances: np.ndarray  # float32 [n], perceptual, from the pictures.
    steps: np.ndarray  # int32 [n], steps taken.
    params: Any  # Parameters of n synthesis networks: NumPy arrays with leading axis n.
    base: Bundle  # With the generator as it was.

    def bundle(self, index: int) -> Bundle:
        """The bundle with the generator of one picture."""
        network = self.base.network("generator")
        params = jax.tree.map(lambda x: jnp.asarray(x[index]), self.params)
        tuned = Network(network.module, with_synthesis(network.variables, params))
        return dataclasses.replace(self.base, networks={**self.base.networks, "generator": tuned})


def join(parts: Sequence[Tuned]) -> Tuned:
    """Generators of several batches as one."""
    arrays = [(part.ws, part.images, part.distances, part.steps, part.params) for part in parts]
    ws, images, distances, steps, params = jax.tree.map(lambda *x: np.concatenate(x), *arrays)
    return Tuned(ws, images, distances, steps, params, parts[0].base)


def over_batch(function: Callable, size: int, in_axes: tuple[int | None, ...]) -> Callable:
    """A function of one picture as a function of a batch.

    A batch of one is no `vmap`: that gives each copy's kernels a batch axis, and so makes grouped
    convolutions, which on CPU took 46 times as long.

    Args:
        function: Of pytrees.
        size: Pictures of the batch.
        in_axes: Of each argument: 0 if it has the batch axis, None if not.
    """
    if size > 1:
        return jax.vmap(function, in_axes)

    def alone(*arguments: Any) -> Any:
        own = (
            x if axis is None else jax.tree.map(lambda leaf: leaf[0], x)
            for x, axis in zip(arguments, in_axes, strict=True)
        )
        return jax.tree.map(lambda leaf: leaf[None], function(*own))

    return alone


class Tuner(Reconstructor):
    """Tunes copies of a generator to pictures. Programs compile once."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        distance: str | None = None,
        options: TuningOptions | None = None,
        seed: int = 303,
        batch_size: int = 1,
        precision: str = "float32",
    ) -> None:
        """Prepares a tuning.

        Args:
            bundle: Holds "generator" and a network of `LIKENESS_ROLES`.
            distance: A name of `LIKENESS_ROLES`; None for the first that the bundle holds.
            options: Of the tuning; None for the original's.
            seed: Of the codes around the pivots, where locality is wanted.
            batch_size: Copies tuned together; each holds the synthesis network four times. On CPU
                one after the other is faster.
            precision: Of the generator's activations, "float32" or "bfloat16".

        Raises:
            OptionError: If an option cannot be used.
            WeightsError: If the bundle lacks a network.
        """
        super().__init__(
            bundle, distance=distance, size=None, batch_size=batch_size, precision=precision
        )
        self.options = options or TuningOptions()
        check_steps(self.options.steps)
        if self.options.locality:
            one_hot(self.options.class_index, self.generator.c_dim, 1)  # Refuses what does not fit.
        self._tuning = PivotalTuning(self.generator, self.likeness.distance, self.options)
        key = jax.random.key(seed)

        def step(networks: Any, state: Any, image: Array, target: Any, pivot: Array) -> TuningState:
            return self._tuning.step(networks, state, image, target, pivot=pivot, key=key)

        self._step = jax.jit(over_batch(step, batch_size, (None, 0, 0, 0, 0)), donate_argnums=1)
        self._finish = jax.jit(over_batch(self._shown, batch_size, (None, 0, 0, 0)))

    def _begin(self) -> TuningState:
        """A batch of copies."""
        state = self._tuning.begin(self.networks["generator"])
        return jax.tree.map(lambda x: jnp.repeat(x[None], self.batch_size, 0), state)

    def _shown(
        self, networks: dict[str, Variables], params: Any, image: Array, ws: Array
    ) -> tuple[Array, Array]:
        """What a copy shows at its pivot [L, W], and how far that is from the picture [R, R, 3]."""
        own = {**networks, "generator": with_synthesis(networks["generator"], params)}
        (shown,), (distance,) = self._compared(own, image[None], ws[None])
        return shown, distance

    def _tune(self, pictures: np.ndarray, ws: np.ndarray, watch: Watch | None, count: int) -> Tuned:
        """Tunes a batch for pictures float32 [B, R, R, 3], `count` of them real."""
        seen, state = self.look(pictures), self._begin()
        for step in range(1, self.options.steps + 1):
            state = self._step(self.networks, state, pictures, seen, ws)
            if step % EVERY and step < self.options.steps:
                continue
            distances = np.asarray(state.distance)
            if watch:
                watch(Look(step, distances[:count], ws[:count]))
            if (distances <= self.options.enough).all():
                break
        images, distances = self._finish(self.networks, state.params, pictures, ws)
        distances, taken, params = jax.tree.map(
            lambda x: np.asarray(x)[:count], (distances, state.taken, state.params)
        )
        shown = to_uint8(np.asarray(images)[:count])
        return Tuned(ws[:count], shown, distances, taken, params, self.bundle)

    def tune(self, images: np.ndarray, ws: np.ndarray, *, watch: Watch | None = None) -> Tuned:
        """Tunes a copy of the generator to each picture.

        Args:
            images: uint8 [N, R, R, 3].
            ws: [N, L, W], the pivots.
            watch: Is called every `EVERY` steps of every batch.

        Raises:
            ShapeError: If pictures or codes are of another shape.
        """
        pictures, ws = self.check_images(images), self.check_ws(ws, len(images))
        parts = []
        for numbers, kept in batches(len(ws), self.batch_size):
            parts.append(self._tune(pictures[numbers], ws[numbers], watch, kept))
        return join(parts)
