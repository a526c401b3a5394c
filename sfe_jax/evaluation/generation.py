"""How good a generator's own pictures are: FID, KID, Inception score, precision, recall, PPL, EQ.

Picture n is that of seed `recipe.seed` + n, as the originals number seeds: `sfe generate` shows it,
but for the noise, which is fresh here. Covariances are over N - 1, as pytorch-fid has them; those
of stylegan2-ada-pytorch are over N.

Source: stylegan2-ada-pytorch, metrics/metric_main.py; stylegan3, metrics/equivariance.py.
"""

import pathlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from sfe_jax.core.console import progress
from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.core.images import to_uint8
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.data.labels import label_vector
from sfe_jax.evaluation.digests import digest_arrays
from sfe_jax.evaluation.equivariance import measure_equivariance
from sfe_jax.evaluation.extraction import SetReading
from sfe_jax.evaluation.measuring import Measured, Setup, open_pictures
from sfe_jax.evaluation.participants import split_folder
from sfe_jax.evaluation.paths import measure_paths
from sfe_jax.evaluation.programs import Program
from sfe_jax.evaluation.seeds import fresh_noise, number_batches, seeded
from sfe_jax.evaluation.sets import Batch, PictureSet, batch_count
from sfe_jax.metrics import inception_score as scores
from sfe_jax.metrics import kid, precision_recall
from sfe_jax.metrics.results import Result
from sfe_jax.metrics.statistics_files import read_statistics
from sfe_jax.models.stylegan3 import Generator as AliasFreeGenerator
from sfe_jax.pipelines.bundle import Network

NAME = "generator"
"""Of the bundle's generator, in tables."""


# Pictures.


def picture_labels(pictures: PictureSet, size: int, numbers: np.ndarray) -> np.ndarray:
    """Labels float32 [N, size] of real pictures, taken in turn.

    Raises:
        OptionError: If the pictures have no labels of this size.
    """
    source = pictures.source
    if source.label_size != size:
        raise OptionError(
            f"the generator has labels of size {size}, the pictures of size {source.label_size}; "
            "required are equal ones: give the data that it was trained on"
        )
    chosen = pictures.numbers[numbers % len(pictures)].tolist()
    return np.stack([label_vector(source[n]["label"], size, source.name(n)) for n in chosen])


def _generate(module: Any, psi: float) -> Callable[..., Array]:
    """Codes z [N, Z], seeds [N] and labels [N, c], if there are any -> pictures [N, R, R, C]."""

    def generate(variables: Variables, z: Array, seeds: Array, *labels: Array) -> Array:
        ws = apply(module, variables, z, *labels, psi=psi, method="map")
        noise = fresh_noise(module, seeds[0])
        return apply(module, variables, ws, **noise, method="synthesize")["image"]

    return generate


def _rows(setup: Setup) -> tuple[str, ...]:
    """What is kept of each picture."""
    classes = setup.extractor.network.has_classes
    return ("features", "probabilities") if classes else ("features",)


def _generated(setup: Setup, network: Network) -> SetReading:
    """The reading of a generator's pictures."""
    options, collector = setup.recipe.generation, setup.collector(*_rows(setup))
    module: Any = network.module
    generate = Program(_generate(module, options.psi), network.variables, setup.mesh)
    total = batch_count(options.count, setup.recipe.batch_size)
    for numbers in progress(number_batches(options.count, setup), "generating", total=total):
        real = np.maximum(numbers, 0)
        seeds = real + setup.recipe.seed
        labels = (picture_labels(setup.pictures, module.c_dim, real),) if module.c_dim else ()
        images = generate(seeded(seeds, module.z_dim), seeds.astype(np.uint32), *labels)
        levels = to_uint8(images, offset=128.0)
        collector.add(Batch(numbers, np.broadcast_to(levels, (*levels.shape[:3], 3))))
    return collector.finish()


# Sets.


def measure_set(setup: Setup, real: SetReading, shown: SetReading, **about: Any) -> list[Result]:
    """All metrics of a set of pictures.

    Args:
        setup: Of the run.
        real: Of real pictures. Without features, as where a file of statistics stands for them,
            the Fréchet distance and the Inception score are measured alone.
        shown: Of the pictures that are judged, with rows.
        **about: `weights`, `dtype` and `seconds` of the results.

    Raises:
        ShapeError: If a set has too few pictures for a metric.
    """
    names = setup.extractor.network.names
    results = [first := setup.frechet(real, shown, **about)]
    features: Any = shown.features
    if real.features is not None:
        rng = np.random.default_rng(setup.recipe.seed)
        mean, deviation = kid.kernel_distance(real.features, features, rng=rng)
        pair = precision_recall.precision_recall(real.features, features)
        common = {"metric": names.kernel, "value": mean, "deviation": deviation}
        results.append(replace(first, **common, enough=kid.ENOUGH))
        for name, value in ((names.precision, pair.precision), (names.recall, pair.recall)):
            enough = precision_recall.ENOUGH
            results.append(replace(first, metric=name, value=value, enough=enough))
    if shown.probabilities is not None:
        mean, deviation = scores.inception_score(shown.probabilities)
        common = {"metric": "Inception score", "value": mean, "deviation": deviation}
        results.append(replace(first, **common, target_count=None, enough=scores.ENOUGH))
    return results


# The evaluator.


def real_reading(setup: Setup, resolution: int) -> SetReading:
    """The real pictures, or the file of statistics that stands for them.

    Args:
        setup: Of the run.
        resolution: R, pixels a side of the pictures that are judged.

    Raises:
        FileFormatError: If the file is of another network.
    """
    path = setup.recipe.data.statistics
    if not path:
        return setup.real(setup.pictures, "reading real pictures", features=True)
    gaussian, network = read_statistics(path), setup.extractor.network
    images = jax.ShapeDtypeStruct((1, resolution, resolution, 3), np.float32)
    size = jax.eval_shape(network.read, network.variables, images)["features"].shape[1]
    if gaussian.mean.shape != (size,):
        raise FileFormatError(
            f"{path}: holds {len(gaussian.mean)} features; required are the {size} of "
            f"{setup.recipe.features!r}: give the statistics of that network"
        )
    return SetReading(gaussian)


def _folder_reading(setup: Setup, folder: pathlib.Path) -> SetReading:
    """The reading of pictures that another program generated, as large as the real ones."""
    options = replace(setup.recipe.data, source=str(folder), count=0)
    module: Any = setup.bundle.network("generator").module
    pictures = open_pictures(options, resolution=module.resolution)
    collector = setup.collector(*_rows(setup))
    for batch in setup.batches(pictures, f"reading {folder}"):
        collector.add(batch)
    return collector.finish()


def evaluate_generation(setup: Setup) -> None:
    """Measures the bundle's generator, and folders of pictures that others generated.

    Args:
        setup: Of the run, whose log gets the figures.

    Raises:
        SfeError: If a network is missing, or pictures cannot be used.
    """
    options, network = setup.recipe.generation, setup.bundle.network("generator")
    module: Any = network.module
    real = real_reading(setup, module.resolution)
    weights = digest_arrays(network.variables)
    sets = [(NAME, weights, "float32", _generated(setup, network))]
    sets += [
        (name, "", "", _folder_reading(setup, folder))
        for name, folder in map(split_folder, options.folders)
    ]
    for name, weights, dtype, shown in sets:
        about = {"weights": weights, "dtype": dtype, "seconds": shown.seconds}
        results = measure_set(setup, real, shown, **about)
        setup.log.add(*(Measured("generation", name, result) for result in results))
    if options.path_count:
        for kind in options.path_lengths:
            setup.log.add(Measured("generation", NAME, measure_paths(setup, network, kind)))
    if options.equivariance_count and isinstance(module, AliasFreeGenerator):
        for result in measure_equivariance(setup, network):
            setup.log.add(Measured("generation", NAME, result))
