"""Networks and methods so simple that what they should measure is known."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.pipelines.bundle import Network
from sfe_jax.pipelines.methods import Inversion

SIZE = 16
"""Pixels a side."""


class Eyes(nn.Module):
    """Reads how red, green and blue pictures are, and calls it a smile, yaw and lighting."""

    attribute_names: tuple[str, ...] = ("smile", "yaw", "lighting")

    @nn.compact
    def __call__(self, images):
        colours = jnp.mean(images, axis=(1, 2))
        longer = jnp.concatenate([colours, jnp.ones_like(colours[:, :1])], axis=1)
        length = jnp.sqrt(jnp.sum(jnp.square(longer), axis=1, keepdims=True))
        return {"attributes": colours, "embedding": longer / length, "maps": (images,)}


EYES = Network(Eyes(), {})


class Dimmer:
    """A method that shows faces darker, and whose edits add strength times the operands."""

    def invert(self, variables, images):
        return Inversion(images * variables["gain"])

    def reconstruct(self, variables, inversion):
        return inversion.ws

    def edit(self, variables, inversion, operands, strength):
        return inversion.ws + strength[:, None, None, None] * operands[None]


def faces(count, *, high=0.3, seed=0):
    """Pictures [count, 16, 16, 3] in [-high, high]."""
    shape = (count, SIZE, SIZE, 3)
    return np.random.default_rng(seed).uniform(-high, high, shape).astype(np.float32)


def direction(name="smile", low=-2.0, high=2.0):
    """A fitted direction."""
    return Direction(name, "regression", Linear(f"fitted/{name}", 1.0), low, high, "", "test")
