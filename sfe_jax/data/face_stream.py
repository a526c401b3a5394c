"""Procedural faces drawn on the device as they are needed: no files, no copies from the host."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.errors import OptionError
from sfe_jax.core.types import Array
from sfe_jax.data.drawing import attribute_vectors, sample_people
from sfe_jax.data.faces import Split, render_faces


def draw_batch(
    step: Array,
    *,
    seed: int,
    batch_size: int,
    resolution: int,
    split: Split,
    pictures_per_identity: int,
) -> dict[str, Array]:
    """Draws the batch of one step; under `jax.jit`, all but `step` is static.

    Args:
        step: int32 [], from 0 on.
        seed: Of all steps.
        batch_size: B, a multiple of `pictures_per_identity`.
        resolution: R.
        split: As for `faces.sample_faces`.
        pictures_per_identity: Faces of one person, side by side.

    Returns:
        "image" float32 [B, R, R, 3] in [-1, 1]; "attributes" float32 [B, 12] in the order of
        `faces.ATTRIBUTES`; "identity" int32 [B], which no other step has below 2^31 people.
    """
    people = batch_size // pictures_per_identity
    key = jax.random.fold_in(jax.random.key(seed), step)
    drawn = sample_people(key, people, pictures_per_identity=pictures_per_identity, split=split)
    persons = jnp.repeat(jnp.arange(people, dtype=jnp.int32), pictures_per_identity)
    return {
        "image": render_faces(drawn, resolution),
        "attributes": attribute_vectors(drawn),
        "identity": step * people + persons,
    }


class FaceStream:
    """Batches without end, each a function of seed and step alone.

    With a sharding, the batch is one global array, of which each device draws its part: every host
    runs the same stream, and hosts need no shards.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        resolution: int,
        seed: int,
        split: Split = "plain",
        pictures_per_identity: int = 2,
        sharding: jax.sharding.Sharding | None = None,
    ):
        """Compiles nothing yet.

        Args:
            batch_size: B, of all hosts together.
            resolution: R.
            seed: Of all steps.
            split: As for `faces.sample_faces`.
            pictures_per_identity: Faces of one person, side by side.
            sharding: Of the first axis of every array; None for one device.

        Raises:
            OptionError: If `batch_size` is not a positive multiple of `pictures_per_identity`.
        """
        if pictures_per_identity < 1 or batch_size < 1 or batch_size % pictures_per_identity:
            raise OptionError(
                f"`batch_size` is {batch_size}; required is a multiple of "
                f"`pictures_per_identity`, {pictures_per_identity}, and both at least 1"
            )
        draw = functools.partial(
            draw_batch,
            seed=seed,
            batch_size=batch_size,
            resolution=resolution,
            split=split,
            pictures_per_identity=pictures_per_identity,
        )
        self._draw = jax.jit(draw, out_shardings=sharding)
        self._step = 0

    def __iter__(self) -> "FaceStream":
        return self

    def __next__(self) -> dict[str, Array]:
        batch = self._draw(np.int32(self._step))
        self._step += 1
        return batch

    def go_to(self, step: int) -> None:
        """Makes the batch of `step`, from 0 on, the next one."""
        self._step = step
