"""Projects pictures into a generator: the front door for Python users.

Example:
    projector = Projector(load_bundle("ffhq.safetensors"))  # A generator, and LPIPS or `features`.
    found = projector.project(images)                       # uint8 [N, R, R, 3] -> codes, pictures
"""

from functools import cached_property
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.choices import check_choice
from sfe_jax.core.types import Array
from sfe_jax.latents.projection import (
    CodeStatistics,
    Projection,
    ProjectionOptions,
    code_statistics,
)
from sfe_jax.latents.sampling import STATISTICS_SAMPLES, one_hot, sample_w
from sfe_jax.pipelines.batching import batches
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.likeness import PROJECTOR_SIZE
from sfe_jax.pipelines.reconstruction import (
    EVERY,
    Look,
    Reconstructor,
    Shown,
    Watch,
    check_steps,
)

Space = Literal["w", "w+"]
"""One code per picture, or one per row of the generator."""


class Projector(Reconstructor):
    """Finds codes of pictures. Programs compile once."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        space: Space = "w",
        distance: str | None = None,
        options: ProjectionOptions | None = None,
        seed: int = 303,
        class_index: int | None = None,
        batch_size: int = 8,
        precision: str = "float32",
    ) -> None:
        """Prepares a search.

        Args:
            bundle: Holds "generator" and a network of `LIKENESS_ROLES`.
            space: "w" for one code per picture, "w+" for one per row.
            distance: A name of `LIKENESS_ROLES`; None for the first that the bundle holds.
            options: Of the search; None for the original's.
            seed: Of all noise. A picture's result depends on it, and not on the other pictures.
            class_index: From 0, where the generator has classes.
            batch_size: Pictures projected together.
            precision: Of the generator's activations, "float32" or "bfloat16".

        Raises:
            OptionError: If an option cannot be used.
            WeightsError: If the bundle lacks a network.
        """
        super().__init__(
            bundle,
            distance=distance,
            size=PROJECTOR_SIZE,
            batch_size=batch_size,
            precision=precision,
        )
        check_choice("space", space, Space)
        self.options = options or ProjectionOptions()
        check_steps(self.options.steps)
        self.space = space
        self._labels = one_hot(class_index, self.generator.c_dim, STATISTICS_SAMPLES)
        self._first_key, self._key = jax.random.split(jax.random.key(seed))
        search = Projection(self.generator, self.likeness.distance, self.options)
        self._begin, self._ws = jax.jit(search.begin), jax.jit(search.ws)
        self._step = jax.jit(search.step, donate_argnames="state")

    @cached_property
    def statistics(self) -> CodeStatistics:
        """Mean and spread of the generator's codes."""
        samples = sample_w(self.generator, self.networks["generator"], self._labels)
        return code_statistics(samples)

    def _start(self, ws: np.ndarray | None) -> Array:
        """First codes of a batch, [B, 1, W] or [B, L, W]."""
        rows = 1 if self.space == "w" else self.generator.num_ws
        if ws is None:
            return jnp.tile(self.statistics.mean, (self.batch_size, rows, 1))
        return jnp.asarray(ws.mean(axis=1, keepdims=True) if rows == 1 else ws)

    def _search(
        self, pictures: np.ndarray, start: np.ndarray | None, watch: Watch | None, count: int
    ) -> np.ndarray:
        """Codes [count, L, W] of a batch of pictures float32 [B, R, R, 3], `count` of them real."""
        seen = self.look(pictures)
        state = self._begin(self.networks["generator"], self._start(start), self._first_key)
        shared = {"spread": self.statistics.spread, "key": self._key}
        for step in range(1, self.options.steps + 1):
            state, distances = self._step(self.networks, state, seen, **shared)
            if watch and (step % EVERY == 0 or step == self.options.steps):
                ws = np.asarray(self._ws(state))[:count]
                watch(Look(step, np.asarray(distances)[:count], ws))
        return np.asarray(self._ws(state))[:count]

    def project(
        self, images: np.ndarray, *, start: np.ndarray | None = None, watch: Watch | None = None
    ) -> Shown:
        """Finds the codes of any number of pictures.

        Args:
            images: uint8 [N, R, R, 3].
            start: [N, L, W], codes to begin at, such as an encoder's; in W, at the mean of their
                rows. None for the mean of all codes.
            watch: Is called every `EVERY` steps of every batch; None for nobody.

        Raises:
            ShapeError: If pictures or codes are of another shape.
        """
        pictures = self.check_images(images)
        first = None if start is None else self.check_ws(start, len(images))
        ws = []
        for numbers, kept in batches(len(images), self.batch_size):
            begin = None if first is None else first[numbers]
            ws.append(self._search(pictures[numbers], begin, watch, kept))
        return self.show(images, np.concatenate(ws))
