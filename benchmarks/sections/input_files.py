"""Data sets of smooth random pictures with a little noise, which compress as photographs do."""

import io
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from benchmarks.sections.input_plain import Files, FolderFiles, RecordFiles, ZipFiles
from sfe_jax.data.dataset_zips import write_dataset
from sfe_jax.data.faces_builder import silent_tfds
from sfe_jax.data.folders import FolderSource
from sfe_jax.data.sources import Record, Source
from sfe_jax.data.tfds_sources import TfdsSource
from sfe_jax.data.zips import ZipSource

JPEG_QUALITY = 95

NOISE = 4.0
"""Standard deviation of the noise, in levels."""


@dataclass(frozen=True)
class Cycled:
    """A few records that stand for many: record i is that of i mod N.

    Drawing an index costs Grain 0.01 ms among many records, and up to 2 ms among a few.
    """

    source: Source  # Of N records.
    count: int  # As which they are seen.

    @property
    def label_size(self) -> int:
        """As in `Source`."""
        return self.source.label_size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Record:
        return self.source[index % len(self.source)]

    def name(self, index: int) -> str:
        """Where record `index` is to be found."""
        return self.source.name(index % len(self.source))


@dataclass(frozen=True)
class DataSet:
    """One way of keeping pictures."""

    name: str  # What the files are.
    source: Source  # As our pipeline reads it.
    files: Files  # As the plain one does.


def draw_pictures(count: int, side: int) -> Iterator[np.ndarray]:
    """Draws `count` pictures, uint8 [side, side, 3]; each begins from its number."""
    for index in range(count):
        rng = np.random.default_rng(index)
        coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)
        noisy = smooth + NOISE * rng.standard_normal(smooth.shape, np.float32)
        yield noisy.clip(0, 255).round().astype(np.uint8)


def write_folder(folder: pathlib.Path, *, count: int, resolution: int) -> DataSet:
    """JPEG files half as large again as the resolution, which have to be resized."""
    side = resolution * 3 // 2
    folder.mkdir(parents=True)
    for index, picture in enumerate(draw_pictures(count, side)):
        Image.fromarray(picture).save(folder / f"{index:05d}.jpg", quality=JPEG_QUALITY)
    name = f"folder of JPEG, {side} resized to {resolution}"
    return DataSet(name, FolderSource(folder), FolderFiles(folder))


def write_zip(path: pathlib.Path, *, count: int, resolution: int) -> DataSet:
    """StyleGAN's archive: PNG files without compression, of the resolution itself."""
    pictures = draw_pictures(count, resolution)
    write_dataset(path, (("drawn", {"image": picture}) for picture in pictures))
    return DataSet(f"zip of uncompressed PNG, {resolution}", ZipSource(path), ZipFiles(path))


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Pictures as PNG files in ArrayRecord."""

    name = "drawn_pictures"
    VERSION = tfds.core.Version("1.0.0")
    url_infos = None  # Nothing is downloaded.

    def __init__(self, *, data_dir: pathlib.Path, count: int, resolution: int):
        self._count, self._resolution = count, resolution
        super().__init__(data_dir=data_dir, file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        shape = (self._resolution, self._resolution, 3)
        picture = tfds.features.Image(shape=shape, encoding_format="png")
        features = tfds.features.FeaturesDict({"image": picture})
        return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, picture in enumerate(draw_pictures(self._count, self._resolution)):
            stream = io.BytesIO()
            Image.fromarray(picture).save(stream, "PNG")
            stream.seek(0)
            yield index, {"image": stream}


def write_records(folder: pathlib.Path, *, count: int, resolution: int) -> DataSet:
    """ArrayRecord of compressed PNG files of the resolution itself, as TFDS keeps pictures."""
    with silent_tfds():
        builder = _Builder(data_dir=folder, count=count, resolution=resolution)
        builder.download_and_prepare()
    written = pathlib.Path(builder.data_dir)
    return DataSet(
        f"ArrayRecord of PNG, {resolution}", TfdsSource(written, "train"), RecordFiles(written)
    )
