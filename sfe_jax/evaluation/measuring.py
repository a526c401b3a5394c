"""What the evaluators of one run share: mesh, bundle, pictures, the network that tells sets apart.

Every number they find is recorded as it is found, in a line of `results.jsonl`.
"""

import functools
import json
import math
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.sharding import Mesh

from sfe_jax.core.cache import cache_folder
from sfe_jax.core.console import progress
from sfe_jax.core.errors import ImageError
from sfe_jax.data.faces_builder import FacesOptions
from sfe_jax.data.opening import open_source
from sfe_jax.data.pictures import Form
from sfe_jax.evaluation.extraction import Collector, Extractor, SetReading
from sfe_jax.evaluation.feature_networks import FeatureNetwork, feature_network
from sfe_jax.evaluation.recipe import EvaluationRecipe, PictureOptions
from sfe_jax.evaluation.sets import Batch, PictureSet, batch_count
from sfe_jax.evaluation.statistics_cache import cached_reading
from sfe_jax.metrics.frechet import ENOUGH, frechet_distance
from sfe_jax.metrics.results import Result
from sfe_jax.parallel.mesh import data_shard
from sfe_jax.parallel.processes import is_main_process
from sfe_jax.pipelines.bundle import Bundle

LOG = "results.jsonl"
"""The figures of a run, in its folder: a line for each."""

TITLES = {"e4e": "e4e", "psp": "pSp", "inverter": "SFE, phase 1", "sfe": "SFE"}
"""Names of methods, as a reader knows them."""

SECONDS = "seconds per picture"
"""Name of the figure that says how long a method takes."""

HIGH_IS_GOOD = ("MS-SSIM", "SSIM", "identity", "Inception score", "precision", "recall", "EQ")
"""How the names of metrics begin of which a high value is a good one."""


def high_is_good(metric: str) -> bool:
    """Whether a high value of a metric is a good one."""
    return metric.startswith(HIGH_IS_GOOD)


@dataclass(frozen=True)
class Measured:
    """A figure, and whose it is."""

    evaluator: str  # "generation", "inversion" or "editing".
    method: str
    result: Result
    edit: str = ""  # Heading of the edit, where there is one.

    def record(self) -> dict[str, Any]:
        """Plain values for JSON; a value that JSON has no number for is its name, such as "inf"."""
        about = {"evaluator": self.evaluator, "method": self.method, "edit": self.edit}
        value = self.result.value
        plain = {"value": value if math.isfinite(value) else str(value)}
        return {**about, **self.result.record(), **plain}


class Log:
    """The figures of a run, kept and written as they come."""

    def __init__(self, path: pathlib.Path) -> None:
        """Begins an empty file on the main process; its folder must exist."""
        self.found: list[Measured] = []
        self._path = path if is_main_process() else None
        if self._path:
            self._path.write_text("")

    def add(self, *found: Measured) -> None:
        """Keeps figures, and writes a line for each."""
        self.found += found
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(each.record(), allow_nan=False) + "\n" for each in found)


def frechet_result(
    network: FeatureNetwork, real: SetReading, shown: SetReading, **about: Any
) -> Result:
    """The Fréchet distance of two sets.

    Args:
        network: Has read both.
        real: Of real pictures.
        shown: Of pictures that are judged.
        **about: `weights`, `dtype` and `seconds` of the result.

    Raises:
        ShapeError: If they are features of two networks.
    """
    return Result(
        metric=network.names.frechet,
        value=frechet_distance(real.gaussian, shown.gaussian),
        count=shown.count,
        target_count=real.gaussian.count,
        network=network.digest,
        resize=network.resize,
        enough=ENOUGH,
        **about,
    )


def open_pictures(options: PictureOptions, *, resolution: int) -> PictureSet:
    """The pictures that a recipe names; procedural faces are drawn if they are not there yet.

    Args:
        options: Which.
        resolution: Pixels a side where the options name none; 0 for the pictures' own.

    Raises:
        SfeError: If the source cannot be opened.
        ImageError: If there are fewer pictures than are asked for.
    """
    resolution = options.resolution or resolution
    faces = None
    if options.source == "faces":
        faces = FacesOptions(
            resolution=resolution,
            count=options.count,
            split=options.split,  # pyright: ignore
            seed=options.seed,
        )
    source = open_source(options.source, data_dir=options.data_dir or None, faces=faces)
    if len(source) < options.count:
        raise ImageError(
            f"{options.source}: holds {len(source)} pictures; `data.count` asks for "
            f"{options.count}, set it lower or to 0 for all"
        )
    form = Form(
        resolution or None,
        transform=options.transform,  # pyright: ignore
        resize_filter=options.resize_filter,  # pyright: ignore
    )
    return PictureSet(source, form, np.arange(options.count or len(source)), options.threads)


class Setup:
    """What is opened once for all evaluators, when the first of them asks for it."""

    def __init__(
        self, recipe: EvaluationRecipe, bundle: Bundle, mesh: Mesh, folder: pathlib.Path
    ) -> None:
        """Opens nothing but the log.

        Args:
            recipe: What is measured.
            bundle: Holds the networks.
            mesh: Divides batches.
            folder: Of the results; it must exist.
        """
        self.recipe, self.bundle, self.mesh, self.folder = recipe, bundle, mesh, folder
        self.log = Log(folder / LOG)
        self.part, self.parts = data_shard(mesh)

    @property
    def local_batch_size(self) -> int:
        """Pictures of a batch that this process reads."""
        return self.recipe.batch_size // self.parts

    @functools.cached_property
    def pictures(self) -> PictureSet:
        """The real pictures, at the size of the generator if they are given none of their own."""
        generator = self.bundle.networks.get("generator")
        module: Any = generator.module if generator else None
        return open_pictures(self.recipe.data, resolution=module.resolution if module else 0)

    @functools.cached_property
    def extractor(self) -> Extractor:
        """The network in whose features sets are compared."""
        return Extractor(feature_network(self.bundle, self.recipe.features), self.mesh)

    def batches(self, pictures: PictureSet, what: str) -> Iterable[Batch]:
        """The batches of this process, under a progress bar."""
        batches = pictures.batches(self.local_batch_size, part=self.part, parts=self.parts)
        return progress(batches, what, total=batch_count(len(pictures), self.recipe.batch_size))

    def collector(self, *keep: str) -> Collector:
        """Reads a set of pictures as it comes."""
        return Collector(self.extractor, keep=keep)

    def real(self, pictures: PictureSet, what: str, *, features: bool = False) -> SetReading:
        """The reading of real pictures, from the disk if they were read before."""
        folder = self.recipe.cache
        return cached_reading(
            pictures,
            self.extractor,
            batch_size=self.recipe.batch_size,
            what=what,
            folder=pathlib.Path(folder) if folder else cache_folder("statistics"),
            keep_features=features,
        )

    def frechet(self, real: SetReading, shown: SetReading, **about: Any) -> Result:
        """As `frechet_result`, by the network of the run."""
        return frechet_result(self.extractor.network, real, shown, **about)
