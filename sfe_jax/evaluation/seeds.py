"""Numbers of pictures to generate, their seeds, and codes drawn from seeds as the originals do."""

from collections.abc import Iterator

import numpy as np

from sfe_jax.evaluation.measuring import Setup
from sfe_jax.evaluation.sets import batch_count
from sfe_jax.metrics.rows import PADDING


def seeded(seeds: np.ndarray, size: int) -> np.ndarray:
    """Normal numbers float32 [N, size], each row of its own seed, as the originals draw z."""
    rows = [np.random.RandomState(seed).randn(size) for seed in seeds]
    return np.stack(rows).astype(np.float32)


def number_batches(count: int, setup: Setup) -> Iterator[np.ndarray]:
    """Numbers int64 [B] of this process below `count`, filled up with `PADDING`."""
    size = setup.local_batch_size
    for index in range(batch_count(count, setup.recipe.batch_size)):
        start = (index * setup.parts + setup.part) * size
        numbers = np.arange(start, start + size)
        yield np.where(numbers < count, numbers, PADDING)
