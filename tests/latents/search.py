"""What the tests of projection and of tuning share: a distance of pixels, tiny generators."""

from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from tests.compiling import jit
from tests.models.networks import NUM_WS, W, draw, generator


@dataclass(frozen=True)
class Pixels:
    """The mean squared error, in the form that searches ask of a distance."""

    def look(self, variables, images):
        return images

    def compare(self, variables, seen, target):
        return jnp.mean(jnp.square(seen - target), axis=(1, 2, 3))


def networks_of(variables):
    return {"generator": variables, "distance": {}}


def codes(count, *, seed=0):
    """Codes [count, L, W] whose rows are equal."""
    return np.repeat(draw(count, 1, W, seed=seed), NUM_WS, axis=1)


@cache
def _synthesis(module):
    return jit(lambda variables, ws: module.apply(variables, ws, method="synthesize")["image"])


def picture_of(variables, ws, module=None):
    """Pictures [N, R, R, 3] of codes."""
    return _synthesis(module or generator()[0])(variables, jnp.asarray(ws))


def mixed_types():
    """Optax raises a float to an integer's power."""
    return jax.numpy_dtype_promotion("standard")
