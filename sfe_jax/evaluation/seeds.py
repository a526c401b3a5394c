"""Numbers of pictures to generate, their seeds, and codes and noise drawn from seeds."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from sfe_jax.core.types import Array
from sfe_jax.evaluation.measuring import Setup
from sfe_jax.evaluation.sets import batch_count
from sfe_jax.metrics.rows import PADDING


def seeded(seeds: np.ndarray, size: int) -> np.ndarray:
    """Normal numbers float32 [N, size], each row of its own seed, as the originals draw z."""
    rows = [np.random.RandomState(seed).randn(size) for seed in seeds]
    return np.stack(rows).astype(np.float32)


def fresh_noise(module: Any, seed: Array) -> dict[str, Any]:
    """Options of `synthesize` that draw noise, as where published figures were measured.

    Args:
        module: A generator.
        seed: uint32 [], of a batch; each of its pictures has noise of its own.

    Returns:
        Nothing for a generator without noise.
    """
    if not getattr(module, "use_noise", False):
        return {}
    return {"noise_mode": "random", "rngs": {"noise": jax.random.key(seed)}}


def number_batches(count: int, setup: Setup) -> Iterator[np.ndarray]:
    """Numbers int64 [B] of this process below `count`, filled up with `PADDING`."""
    size = setup.local_batch_size
    for index in range(batch_count(count, setup.recipe.batch_size)):
        start = (index * setup.parts + setup.part) * size
        numbers = np.arange(start, start + size)
        yield np.where(numbers < count, numbers, PADDING)
