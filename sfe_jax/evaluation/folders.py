"""Two folders of pictures, compared name by name and as sets."""

import pathlib
import time
import warnings
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from sfe_jax.core.console import progress
from sfe_jax.core.errors import ImageError
from sfe_jax.data.folders import FolderSource
from sfe_jax.data.pictures import Form
from sfe_jax.evaluation.extraction import Collector, Extractor
from sfe_jax.evaluation.feature_networks import feature_network
from sfe_jax.evaluation.inversion import merge_rows, pair_results
from sfe_jax.evaluation.measuring import frechet_result
from sfe_jax.evaluation.pair_metrics import PairJudge, PairOptions, pair_metrics
from sfe_jax.evaluation.sets import Batch, NamedPictures, PictureSet, batch_count, stem_of
from sfe_jax.metrics.results import Result
from sfe_jax.metrics.rows import Rows
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.pipelines.bundle import Bundle

PERCEPTUAL = ("lpips_alex", "lpips_vgg", "lpips_squeeze", "features")
"""Roles of networks that tell how alike pictures look; the first that is there is used."""

IDENTITY = ("curricular_face", "arcface", "features")
"""Roles of networks that tell persons apart."""

SETS = ("fid_inception", "features")
"""Roles of networks that tell sets apart."""


class FolderComparison(NamedTuple):
    """What two folders were found to have in common."""

    results: list[Result]
    scores: dict[str, dict[str, float]]  # Name of a picture -> name of a metric -> number.


def first_role(bundle: Bundle, roles: tuple[str, ...]) -> str:
    """The first of some roles that a bundle holds; "" if it holds none."""
    return next((role for role in roles if role in bundle.networks), "")


def _scores(rows: dict[str, Rows], originals: PictureSet) -> dict[str, dict[str, float]]:
    """The numbers of every picture, by its name."""
    scores: dict[str, dict[str, float]] = {originals.stem(n): {} for n in originals.numbers}
    for metric, found in rows.items():
        for number, value in zip(found.numbers.tolist(), found.values.tolist(), strict=True):
            scores[originals.stem(number)][metric] = value
    return scores


def _open(
    originals: pathlib.Path, others: pathlib.Path, *, picture: str
) -> tuple[PictureSet, NamedPictures]:
    """All originals, and the other pictures by name; those without an original are warned of."""
    source = FolderSource(originals)
    pictures = PictureSet(source, Form(transform="none"), np.arange(len(source)))
    named = NamedPictures(others, pictures.form, picture=picture)
    stems = {stem_of(name) for name in source.names}
    if stems.isdisjoint(named.stems):
        raise ImageError(
            f"{others}: has no picture for any original, such as {min(stems)!r}; it holds "
            f"{named.example!r}: give pictures the names of the originals, or, where folders have "
            "these names, as of `sfe invert`, set `picture` to that in each, such as inversion.png"
        )
    if extra := set(named.stems) - stems:
        what = f"{len(extra)} pictures have no original, such as {min(extra)!r}"
        warnings.warn(f"{others}: {what}; left out", stacklevel=3)
    return pictures, named


def compare_folders(
    originals: pathlib.Path,
    others: pathlib.Path,
    *,
    bundle: Bundle,
    options: PairOptions,
    batch_size: int,
    picture: str = "",
) -> FolderComparison:
    """Compares pictures of equal names, whatever their suffixes, and both folders as sets.

    Args:
        originals: Folder whose pictures are all compared; they must be of one size.
        others: Folder with a picture of each of these names, of the same size.
        bundle: LPIPS, identity and FID are measured where it holds their networks.
        options: Sizes; the roles are replaced by those that the bundle holds.
        batch_size: Pictures computed together.
        picture: "", or `others` holds a folder of each name, and in it this picture, with or
            without its suffix.

    Raises:
        ImageError: If a picture is missing, cannot be read, or is of another size.
        WeightsError: If a network is of another kind than its role says.
    """
    pictures, named = _open(originals, others, picture=picture)
    mesh = make_mesh(devices=jax.devices()[:1])
    roles = {"perceptual": PERCEPTUAL, "identity": IDENTITY}
    chosen = {name: first_role(bundle, known) for name, known in roles.items()}
    judge = PairJudge(pair_metrics(bundle, replace(options, **chosen)), mesh)
    role = first_role(bundle, SETS) if len(pictures) > 1 else ""  # One has no covariance.
    extractor = Extractor(feature_network(bundle, role), mesh) if role else None
    sets = (Collector(extractor), Collector(extractor)) if extractor else ()

    # One pass.
    parts, began = [], time.perf_counter()
    total = batch_count(len(pictures), batch_size)
    for batch in progress(pictures.batches(batch_size), "comparing", total=total):
        shown = named.like(batch, pictures)
        parts.append(judge.compare(batch.numbers, shown, batch.images))
        for collector, images in zip(sets, (batch.images, shown), strict=False):
            collector.add(Batch(batch.numbers, images))

    # Figures.
    about = {"weights": "", "dtype": "float32", "seconds": time.perf_counter() - began}
    rows = merge_rows(parts)
    results = pair_results(judge.metrics, rows, **about)
    if extractor:
        readings = [collector.finish() for collector in sets]
        results.append(frechet_result(extractor.network, *readings, **about))
    return FolderComparison(results, _scores(rows, pictures))
