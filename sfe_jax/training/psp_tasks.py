"""What pSp's encoder reads, task by task, where the generator shall make the picture.

A task draws what it reads of a batch in training from the step's key, and reads without chance in
evaluation and for grids.

Source: pSp (arXiv:2008.00951), section 4; pixel2style2pixel configs/transforms_config.py.
"""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp

from sfe_jax.core.errors import OptionError
from sfe_jax.core.types import Array
from sfe_jax.ops.resize import resize_nearest
from sfe_jax.pipelines.conditions import condition_values, degrade
from sfe_jax.pipelines.methods import encoder_input
from sfe_jax.training.method import Batch, as_float

FACTORS = (1, 2, 4, 8, 16, 32)
"""Of super-resolution, as published."""


class Task(Protocol):
    """What every task offers."""

    def source(self, batch: Batch, key: Array) -> Array:
        """What the encoder reads of a batch in training, float32 [N, R, R, C]."""
        ...

    def unseen(self, batch: Batch) -> Array:
        """What it reads in evaluation and for grids, float32 [N, R, R, C]: always the same."""
        ...


def _by_content(batch: Batch, count: int) -> Array:
    """A number below `count` for each picture, by the sum of its levels: int32 [N].

    So it is the same in whatever batch, and on whatever process, a picture lies.
    """
    levels = jnp.round((as_float(batch["image"]) + 1) * 127.5).astype(jnp.uint32)
    numbers = jnp.sum(levels, axis=(1, 2, 3), dtype=jnp.uint32) % jnp.uint32(count)
    return numbers.astype(jnp.int32)


def shown(source: Array, like: Array) -> Array:
    """What an encoder reads, as pictures to look at.

    Args:
        source: [N, S, S, C]: pictures in [-1, 1], sketches in [0, 1], or n maps of 0 and 1.
        like: [N, R, R, C'], pictures beside which they are shown.

    Returns:
        [N, R, R, C'] in [-1, 1]; labels are grey, from 0 black to n - 1 white.
    """
    match source.shape[-1]:
        case 3:
            pictures = source
        case 1:
            pictures = source * 2 - 1
        case labels:
            ids = jnp.argmax(source, axis=-1, keepdims=True).astype(jnp.float32)
            pictures = ids * (2 / (labels - 1)) - 1
    return jnp.broadcast_to(resize_nearest(pictures, like.shape[1]), like.shape)


@dataclass(frozen=True)
class Invert:
    """The picture itself."""

    def source(self, batch: Batch, key: Array) -> Array:
        """The pictures."""
        del key
        return as_float(batch["image"])

    def unseen(self, batch: Batch) -> Array:
        """The pictures."""
        return as_float(batch["image"])


@dataclass(frozen=True)
class Frontalize:
    """The picture, or its mirror image: the pose that suits both is frontal.

    Of unseen pictures about every second one is mirrored, by its content, where the original tosses
    coins in tests too: read as they are, they would ask for no frontal view, but for their own.
    """

    def _mirrored(self, batch: Batch, chosen: Array) -> Array:
        """The pictures, mirrored where `chosen`, bool [N]."""
        images = as_float(batch["image"])
        return jnp.where(chosen[:, None, None, None], images[:, :, ::-1], images)

    def source(self, batch: Batch, key: Array) -> Array:
        """The pictures, each mirrored with probability 1/2, whatever its target is."""
        return self._mirrored(batch, jax.random.bernoulli(key, shape=(len(batch["image"]),)))

    def unseen(self, batch: Batch) -> Array:
        """The pictures, about every second one mirrored."""
        return self._mirrored(batch, _by_content(batch, 2) == 1)


@dataclass(frozen=True)
class SuperResolve:
    """The picture as one of fewer pixels shows it.

    The factor of an unseen picture follows from its content, where the original draws it in tests
    too.

    Raises:
        OptionError: If there is no factor, or one does not fit the size.
    """

    factors: tuple[int, ...]
    size: int  # Pixels a side that the encoder reads.

    def __post_init__(self) -> None:
        fitting = [f for f in self.factors if f >= 1 and not self.size % f and self.size >= 2 * f]
        if not self.factors or len(fitting) < len(self.factors):
            raise OptionError(
                f"`factors` is {self.factors}; required are divisors of {self.size}, the encoder's "
                "`input_size`, that leave at least 2 pixels"
            )

    def _degraded(self, batch: Batch, choices: Array) -> Array:
        """The pictures at the encoder's size, degraded by the factors of numbers [N]."""
        images = encoder_input(as_float(batch["image"]), self.size)
        # All factors of the whole batch: a shape is one for all pictures.
        ways = [degrade(images, factor) for factor in self.factors]
        chosen = choices[:, None, None, None]
        return jnp.select([chosen == number for number in range(len(ways))], ways)

    def source(self, batch: Batch, key: Array) -> Array:
        """The pictures, each degraded by a factor of its own, all equally probable."""
        count = len(batch["image"])
        return self._degraded(batch, jax.random.randint(key, (count,), 0, len(self.factors)))

    def unseen(self, batch: Batch) -> Array:
        """The pictures, each degraded by the factor of its content."""
        return self._degraded(batch, _by_content(batch, len(self.factors)))


@dataclass(frozen=True)
class Translate:
    """The partner of the picture: a sketch, a map of labels, or another picture."""

    channels: int  # That the encoder reads; see `condition_values`.
    size: int  # Pixels a side that it reads.

    def source(self, batch: Batch, key: Array) -> Array:
        """The partners."""
        del key
        return self.unseen(batch)

    def unseen(self, batch: Batch) -> Array:
        """The partners; labels are brought to the encoder's size before they become channels."""
        levels = batch["condition"]
        if self.channels not in (1, 3):
            levels = resize_nearest(levels, self.size)
        return condition_values(levels, self.channels)
