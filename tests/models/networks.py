"""Small networks with random weights, for the tests of the models."""

from functools import cache

import jax
import numpy as np

from sfe_jax.models.discriminator import Discriminator
from sfe_jax.models.stylegan2 import Generator
from sfe_jax.pipelines.random_bundle import random_variables

CHANNELS = (6, 5, 4)  # At 4, 8 and 16.
NUM_WS, W, Z, C = 6, 8, 7, 3


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@cache
def generator(kind=Generator, **fields):
    """A 16x16 generator of a family and its variables."""
    options = {"channels": CHANNELS, "z_dim": Z, "w_dim": W, "mapping_layers": 2} | fields
    module = kind(**options)
    return module, random_variables(module, np.random.default_rng(0))


@cache
def discriminator(**fields):
    """A 16x16 discriminator and its variables."""
    module = Discriminator(**{"channels": CHANNELS, "mapping_layers": 2} | fields)
    return module, random_variables(module, np.random.default_rng(0))


def as_float64(tree):
    return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)


def part(variables, name):
    """Every collection's branch `name`, in float64: the variables of a network within."""
    return {k: as_float64(v[name]) for k, v in variables.items() if name in v}


def assert_near(actual, expected, tolerance=1e-5):
    expected = np.asarray(expected, np.float32)
    np.testing.assert_allclose(
        np.asarray(actual, np.float32), expected, rtol=0, atol=tolerance * np.abs(expected).max()
    )
