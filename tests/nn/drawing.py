"""Random variables for single layers."""

from functools import partial

import jax
import numpy as np


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def variables_of(module, *inputs, **options):
    """Normal variables, kernels of unit gain; scales and variances between 0.5 and 1.5."""
    key, rng = jax.random.key(0), np.random.default_rng(1)
    shapes = jax.eval_shape(partial(module.init, **options), key, *inputs)

    def fill(path, leaf):
        name, x = path[-1].key, rng.standard_normal(leaf.shape)
        if name == "kernel":
            x /= np.sqrt(np.prod(leaf.shape[:-1]))
        elif name in ("scale", "var"):
            x = rng.uniform(0.5, 1.5, leaf.shape)
        return x.astype(np.float32)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def assert_near(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())
