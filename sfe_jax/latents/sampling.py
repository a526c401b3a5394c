"""Random codes, numbered as the original programs number them.

Source: stylegan2-ada-pytorch generate.py (seeds), projector.py (statistics of W).
"""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np

from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.models.generator import StyleGenerator

STATISTICS_SEED = 123
"""Of the draws by which W is measured; the original projector's."""

STATISTICS_SAMPLES = 10_000
"""Draws by which W is measured; likewise."""


def seeded_z(seeds: Sequence[int], z_dim: int) -> np.ndarray:
    """The z that the original programs draw for seeds: float32 [N, Z], a row for each."""
    rows = [np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]
    return np.concatenate(rows).astype(np.float32)


def one_hot(class_index: int | None, c_dim: int, count: int) -> np.ndarray:
    """Labels [count, c_dim] of one class.

    Raises:
        OptionError: If the generator has classes and none is given, or the other way round.
    """
    if class_index not in (range(c_dim) if c_dim else (None,)):
        remedy = f"{c_dim} classes: choose 0 to {c_dim - 1}" if c_dim else "no classes: give none"
        raise OptionError(f"`class_index` is {class_index}; this generator has {remedy}")
    labels = np.zeros((count, c_dim), np.float32)
    if class_index is not None:
        labels[:, class_index] = 1
    return labels


@partial(jax.jit, static_argnums=0)
def _map(generator: StyleGenerator, variables: Variables, z: Array, labels: Array) -> Array:
    """Compiled once for each network and number of codes, whoever asks."""
    return apply(generator, variables, z, labels, method="map")[:, 0]  # All rows are equal.


def map_to_w(
    generator: StyleGenerator, variables: Variables, z: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Codes w [N, W] of z [N, Z] and labels [N, c_dim], not truncated."""
    return np.asarray(_map(generator, variables, z, labels))


def sample_w(generator: StyleGenerator, variables: Variables, labels: np.ndarray) -> np.ndarray:
    """Codes [M, W] by which W is measured, always the same.

    Args:
        generator: The module.
        variables: Its variables.
        labels: [M, c_dim], one of each draw; for the original's figures, `STATISTICS_SAMPLES`.
    """
    draws = np.random.RandomState(STATISTICS_SEED).randn(len(labels), generator.z_dim)
    return map_to_w(generator, variables, draws.astype(np.float32), labels)
