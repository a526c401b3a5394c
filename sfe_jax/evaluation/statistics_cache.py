"""Readings of real pictures, kept on disk under a digest of data, network and resize.

The statistics are a file of pytorch-fid, `DIGEST.npz`; features lie beside it as `DIGEST.npy`.
"""

import hashlib
import pathlib

import jax
import numpy as np
from jax.experimental import multihost_utils

from sfe_jax.core.console import progress
from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.core.files import written_whole
from sfe_jax.evaluation.extraction import Collector, Extractor, SetReading
from sfe_jax.evaluation.feature_networks import FeatureNetwork
from sfe_jax.evaluation.sets import PictureSet, batch_count
from sfe_jax.metrics.statistics_files import read_statistics, write_statistics
from sfe_jax.parallel.mesh import data_shard
from sfe_jax.parallel.processes import is_main_process
from sfe_jax.readers import read


def reading_key(pictures: PictureSet, network: FeatureNetwork) -> str:
    """The name of a reading: SHA-256 of the pictures, the network and the resize."""
    content = "\n".join((pictures.digest, network.digest, network.resize))
    return hashlib.sha256(content.encode()).hexdigest()


def _is_kept(*paths: pathlib.Path) -> bool:
    """Whether every process finds all files, so that all do the same next."""
    found = all(path.is_file() for path in paths)
    if jax.process_count() == 1:
        return found
    return bool(np.all(multihost_utils.process_allgather(np.int32(found))))


def _read_features(path: pathlib.Path, count: int) -> np.ndarray:
    """Kept features float32 [count, D]."""
    features = read(path)
    if not isinstance(features, np.ndarray) or features.dtype != np.float32:
        raise FileFormatError(f"{path}: required is one array of float32")
    if features.ndim != 2 or len(features) != count or not np.isfinite(features).all():
        raise FileFormatError(
            f"{path}: has shape {features.shape}; required are finite numbers ({count}, D)"
        )
    return features


def _keep(reading: SetReading, statistics: pathlib.Path, features: pathlib.Path) -> None:
    """Writes a reading; the statistics come last, since they say that all is there."""
    try:
        if reading.features is not None:
            with written_whole(features) as partial:
                np.save(partial, reading.features, allow_pickle=False)
        write_statistics(statistics, reading.gaussian)
    except OSError as error:
        raise OptionError(
            f"{statistics}: cannot be written ({error.strerror}); choose another `cache`"
        ) from error


def read_pictures(
    pictures: PictureSet,
    extractor: Extractor,
    *,
    batch_size: int,
    what: str,
    keep_features: bool = False,
) -> SetReading:
    """Reads all pictures of a set, under a progress bar.

    Args:
        pictures: At least 2.
        extractor: The network on its mesh.
        batch_size: Pictures computed together, over all devices.
        what: Says in front of the bar what is read.
        keep_features: Whether features are kept picture by picture.

    Raises:
        ImageError: If a picture cannot be read.
    """
    part, parts = data_shard(extractor.mesh)
    collector = Collector(extractor, keep=("features",) if keep_features else ())
    batches = pictures.batches(batch_size // parts, part=part, parts=parts)
    for batch in progress(batches, what, total=batch_count(len(pictures), batch_size)):
        collector.add(batch)
    return collector.finish()


def cached_reading(
    pictures: PictureSet,
    extractor: Extractor,
    *,
    batch_size: int,
    what: str,
    folder: pathlib.Path,
    keep_features: bool = False,
) -> SetReading:
    """What `read_pictures` gives, from the disk if it was read before.

    Args:
        pictures: As there, as are the others.
        extractor: As there.
        batch_size: As there.
        what: As there.
        folder: Where readings are kept; made if it does not exist.
        keep_features: As there.

    Raises:
        FileFormatError: If a kept file is broken.
        OptionError: If the folder cannot be written.
    """
    key = reading_key(pictures, extractor.network)
    statistics, features = folder / f"{key}.npz", folder / f"{key}.npy"
    if _is_kept(statistics, *([features] if keep_features else [])):
        try:
            kept = _read_features(features, len(pictures)) if keep_features else None
            return SetReading(read_statistics(statistics), kept)
        except FileFormatError as error:
            # Readers would have the user download it again.
            raise FileFormatError(f"a kept reading is broken; remove this file: {error}") from error
    reading = read_pictures(
        pictures, extractor, batch_size=batch_size, what=what, keep_features=keep_features
    )
    if is_main_process():
        _keep(reading, statistics, features)
    return reading
