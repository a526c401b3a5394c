"""What a feature network reads of sets of pictures: statistics, and rows where a metric needs them.

Pictures pass in batches that the devices of a mesh share, and are forgotten. Statistics of any
number of pictures take the same memory; KID, precision and recall, and the Inception score need a
row of each, 8 KB of Inception.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np
from jax.sharding import Mesh

from sfe_jax.core.images import to_float
from sfe_jax.evaluation.feature_networks import FeatureNetwork
from sfe_jax.evaluation.programs import Program
from sfe_jax.evaluation.sets import Batch
from sfe_jax.metrics.gaussians import FeatureStatistics, Gaussian, feature_statistics
from sfe_jax.metrics.merging import merge_processes, merged
from sfe_jax.metrics.rows import Rows, rows_of


@dataclass(frozen=True, eq=False)
class SetReading:
    """What is known of a set of pictures."""

    gaussian: Gaussian  # Of the features, with the divisor N - 1.
    features: np.ndarray | None = None  # float32 [N, D], if rows were kept.
    probabilities: np.ndarray | None = None  # float32 [N, C], if rows were kept.
    seconds: float = 0.0  # For making and reading the pictures.

    @property
    def count(self) -> int:
        """Pictures; 0 where a file of statistics does not say."""
        return self.gaussian.count or 0


class Extractor:
    """A feature network on a mesh."""

    def __init__(self, network: FeatureNetwork, mesh: Mesh) -> None:
        """Compiles nothing yet."""
        self.network, self.mesh = network, mesh
        self._read = Program(network.read, network.variables, mesh)

    def read(self, batch: Batch) -> dict[str, Rows]:
        """The rows of a batch that this process holds, under the network's names."""
        reading = self._read(to_float(batch.images))
        return {name: rows_of(batch.numbers, values) for name, values in reading.items()}


class Collector:
    """Reads the batches of one set as they come, and tells at the end what they amount to."""

    def __init__(self, extractor: Extractor, *, keep: Collection[str] = ()) -> None:
        """Begins an empty set.

        Args:
            extractor: Reads pictures.
            keep: Of "features" and "probabilities", what is kept picture by picture.
        """
        self._extractor, self._keep = extractor, keep
        self._statistics: list[FeatureStatistics] = []
        self._fresh: list[np.ndarray] = []  # Features that the statistics do not hold yet.
        self._kept: dict[str, list[Rows]] = {}
        self._began = time.perf_counter()

    def add(self, batch: Batch) -> Self:
        """Reads a batch."""
        reading = self._extractor.read(batch)
        features = reading["features"].values
        if len(features):
            self._fresh.append(features)
        # Merging costs D^2, whatever the rows: worth it from D of them on.
        if sum(map(len, self._fresh)) >= features.shape[1]:
            self._fold()
        for name in self._keep:
            self._kept.setdefault(name, []).append(reading[name])
        return self

    def _fold(self) -> None:
        """Takes fresh features into the statistics."""
        if self._fresh:
            fresh = feature_statistics(np.concatenate(self._fresh))
            self._statistics = [merged([*self._statistics, fresh])]
            self._fresh = []

    def finish(self) -> SetReading:
        """What all batches of all processes amount to.

        Raises:
            ShapeError: If there were fewer than 2 pictures.
        """
        self._fold()
        statistics = merge_processes(merged(self._statistics))
        rows = {name: merge_processes(merged(parts)).values for name, parts in self._kept.items()}
        seconds = time.perf_counter() - self._began
        return SetReading(statistics.gaussian(), **rows, seconds=seconds)
