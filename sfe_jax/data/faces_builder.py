"""Procedural faces as a TFDS data set: drawn once into a folder, read by random access after."""

import contextlib
import functools
import io
import logging
import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from sfe_jax.core.cache import cache_folder
from sfe_jax.core.console import progress
from sfe_jax.core.errors import OptionError
from sfe_jax.core.images import MIN_SIDE, to_uint8
from sfe_jax.core.types import Array
from sfe_jax.data import faces
from sfe_jax.data.drawing import attribute_vectors, sample_people
from sfe_jax.data.sources import Record

CHUNK = 64
"""People drawn from one key: a longer data set begins with the shorter one."""

MAX_PIXELS_AT_ONCE = 1 << 16
"""Pixels rendered together, which bounds the memory; more at once is no faster on a CPU."""


@dataclass(frozen=True)
class FacesOptions:
    """Which faces to draw. Equal options give equal pictures.

    Attributes:
        resolution: R, pixels a side.
        count: Pictures.
        split: How often details occur, as for `faces.sample_faces`.
        seed: Of the random draws.
        pictures_per_identity: Pictures of one person, side by side in the data set.

    Raises:
        OptionError: If a number is too small or the split unknown.
    """

    resolution: int = 64
    count: int = 50_000
    split: faces.Split = "plain"
    seed: int = 0
    pictures_per_identity: int = 2

    def __post_init__(self) -> None:
        smallest = {"resolution": MIN_SIDE, "count": 1, "seed": 0, "pictures_per_identity": 1}
        for name, least in smallest.items():
            if getattr(self, name) < least:
                value = getattr(self, name)
                raise OptionError(f"`{name}` of faces is {value}; required is at least {least}")
        if self.split not in ("plain", "detailed"):
            raise OptionError(f"`split` of faces is {self.split!r}; required is plain or detailed")

    @property
    def name(self) -> str:
        """All options in one word."""
        sizes = f"{self.resolution}px-{self.count}x{self.pictures_per_identity}"
        return f"{self.split}-{sizes}-seed{self.seed}"


@functools.partial(jax.jit, static_argnames=("pictures_per_identity", "split"))
def _sample(key: Array, *, pictures_per_identity: int, split: faces.Split) -> faces.Faces:
    return sample_people(key, CHUNK, pictures_per_identity=pictures_per_identity, split=split)


@functools.partial(jax.jit, static_argnames="resolution")
def _render(drawn: faces.Faces, *, resolution: int) -> Array:
    """Renders N faces, a few at a time: [N, R, R, 3] float32."""

    def render_one(face: faces.Faces) -> Array:
        return faces.render_faces(jax.tree.map(lambda leaf: leaf[None], face), resolution)[0]

    together = max(1, MAX_PIXELS_AT_ONCE // resolution**2)
    return jax.lax.map(render_one, drawn, batch_size=together)


def draw_records(options: FacesOptions) -> Iterator[Record]:
    """Draws the pictures in order.

    Args:
        options: Which.

    Yields:
        "image" uint8 [R, R, 3], "attributes" float32 [12] in the order of `faces.ATTRIBUTES`, and
        "identity" int64 [], the number of the person.
    """
    key, per_chunk = jax.random.key(options.seed), CHUNK * options.pictures_per_identity
    for start in range(0, options.count, per_chunk):
        drawn = _sample(
            jax.random.fold_in(key, start // per_chunk),
            pictures_per_identity=options.pictures_per_identity,
            split=options.split,
        )
        vectors = np.asarray(attribute_vectors(drawn))
        # 128 rounds to the nearest level.
        levels = to_uint8(_render(drawn, resolution=options.resolution), offset=128.0)
        for index in range(start, min(start + per_chunk, options.count)):
            yield {
                "image": levels[index - start],
                "attributes": vectors[index - start],
                "identity": np.int64(index // options.pictures_per_identity),
            }


def _png(image: np.ndarray) -> io.BytesIO:
    """Encodes uint8 [R, R, 3]; TFDS itself would need TensorFlow for it."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    stream.seek(0)
    return stream


class ProceduralFaces(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Faces drawn from known attributes, people and details, in one split "train"."""

    # Raise it when the pictures change, or those drawn before are taken for new ones.
    VERSION = tfds.core.Version("1.0.0")

    # Checksums of downloads: there are none, and looking for them needs a package more.
    url_infos = None

    def __init__(self, options: FacesOptions, *, data_dir: str | os.PathLike[str]):
        self._options = options
        super().__init__(
            config=tfds.core.BuilderConfig(name=options.name, version=self.VERSION),
            data_dir=data_dir,
            file_format="array_record",
        )

    def _info(self) -> tfds.core.DatasetInfo:
        side = self._options.resolution
        features = {
            "image": tfds.features.Image(shape=(side, side, 3), encoding_format="png"),
            "attributes": tfds.features.Tensor(shape=(len(faces.ATTRIBUTES),), dtype=np.float32),
            "identity": tfds.features.Scalar(dtype=np.int64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"Procedural faces. Attributes: {', '.join(faces.Attributes._fields)}.",
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager  # Nothing is downloaded.
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        drawn, what = draw_records(self._options), f"drawing faces {self._options.name}"
        records = progress(drawn, what, total=self._options.count)
        for index, record in enumerate(records):
            yield index, {**record, "image": _png(record["image"])}


@contextlib.contextmanager
def silent_tfds() -> Iterator[None]:
    """Keeps TFDS from talking of downloads and custom configurations, and its bars from ours."""
    log = logging.getLogger("absl")
    level = log.level
    tfds.display_progress_bar(enable=False)
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)
        tfds.display_progress_bar(enable=True)


def prepare_faces(
    options: FacesOptions, *, data_dir: str | os.PathLike[str] | None = None
) -> pathlib.Path:
    """Draws a data set of faces, unless it is there already.

    It is written beside its place and renamed when whole, so an interrupted one is drawn again.

    Args:
        options: Which faces.
        data_dir: Where data sets are kept; None for the user's cache.

    Returns:
        Its folder, for `sfe_jax.data.tfds_sources.TfdsSource`; the split is "train".

    Raises:
        OptionError: If it cannot be written there.
    """
    with silent_tfds():
        builder = ProceduralFaces(options, data_dir=data_dir or cache_folder("data"))
        folder = pathlib.Path(builder.data_dir)
        try:
            builder.download_and_prepare()
        except OSError as error:
            # Another process may have drawn the same meanwhile, and its folder stands.
            if not folder.is_dir():
                reason = f"cannot be written ({error.strerror or error})"
                raise OptionError(f"{folder}: {reason}; choose another `data_dir`") from error
    return folder
