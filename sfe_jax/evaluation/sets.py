"""Sets of pictures to measure on: some records of a source, in one form, read once in order."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np

from sfe_jax.core.errors import ImageError
from sfe_jax.data.folders import FolderSource
from sfe_jax.data.pictures import Form, to_form
from sfe_jax.data.pipeline import one_pass
from sfe_jax.data.sources import Record, Source
from sfe_jax.metrics.rows import PADDING


class Batch(NamedTuple):
    """Pictures that are measured together."""

    numbers: np.ndarray  # int64 [B], of the pictures in their source; `PADDING` fills up.
    images: np.ndarray  # uint8 [B, H, W, 3].


def stem_of(name: str) -> str:
    """A path below a folder without its suffix, with slashes."""
    return pathlib.PurePosixPath(name).with_suffix("").as_posix()


def file_state(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Size and time of change of a file, which tell whether it is still the same."""
    state = os.stat(path)
    return state.st_size, state.st_mtime_ns


def batch_count(count: int, batch_size: int) -> int:
    """Batches that hold `count` pictures."""
    return -(-count // batch_size)


def filled(batch: Batch, batch_size: int) -> Batch:
    """A batch with its last picture repeated, under the number `PADDING`, up to `batch_size`."""
    empty = batch_size - len(batch.numbers)
    numbers = np.pad(batch.numbers.astype(np.int64), (0, empty), constant_values=PADDING)
    return Batch(numbers, np.pad(batch.images, ((0, empty), *[(0, 0)] * 3), mode="edge"))


class FormedSource:
    """Some records of a source, their pictures in one form and of one shape, with their numbers.

    Its own `name`, `label_size` and length are what `one_pass` asks of a source.
    """

    label_size = 0

    def __init__(self, source: Source, form: Form, numbers: np.ndarray) -> None:
        """Reads the first picture, whose shape all must have."""
        self._source, self._form, self._numbers = source, form, numbers
        self._shape = self._read(0).shape

    def __len__(self) -> int:
        return len(self._numbers)

    def name(self, index: int) -> str:
        """Where record `index` is to be found."""
        return self._source.name(int(self._numbers[index]))

    def _read(self, index: int) -> np.ndarray:
        image = self._source[int(self._numbers[index])]["image"]
        return to_form(image, self._form, self.name(index))

    def __getitem__(self, index: int) -> Record:
        image = self._read(index)
        if image.shape != self._shape:
            size, first = (f"{shape[1]} x {shape[0]}" for shape in (image.shape, self._shape))
            raise ImageError(
                f"{self.name(index)}: is {size}, and {self.name(0)} {first}; required is one size: "
                "set the `resolution` at which all are read"
            )
        return {"image": image, "number": self._numbers[index]}


@dataclass(frozen=True, eq=False)
class PictureSet:
    """Some pictures of a source. One that cannot be read ends the measurement, and is named."""

    source: Source
    form: Form  # Of 3 channels; without a resolution all pictures must be of one size.
    numbers: np.ndarray  # int64 [N], rising.
    threads: int = 2  # That read ahead.

    def __len__(self) -> int:
        return len(self.numbers)

    def subset(self, numbers: np.ndarray) -> "PictureSet":
        """The same form of other records."""
        return replace(self, numbers=np.asarray(numbers, np.int64))

    def stem(self, number: int) -> str:
        """A name of a picture without its suffix, by which other folders are searched for it."""
        names = getattr(self.source, "names", None)
        if names is None:
            return f"{number:06d}"
        return stem_of(names[number])

    def read(self, number: int) -> np.ndarray:
        """One picture, uint8 [H, W, 3].

        Raises:
            ImageError: If it cannot be read.
        """
        image = self.source[number]["image"]
        return to_form(image, self.form, self.source.name(number))

    @property
    def digest(self) -> str:
        """SHA-256 of which pictures these are, by the sizes and dates of their files, and the form.

        Data sets that are not files of pictures are known by folder, version and split.
        """
        names, path = getattr(self.source, "names", None), getattr(self.source, "path", None)
        if names is None or path is None:
            state = [self.source.name(0), len(self.source)]
        elif os.path.isdir(path):
            state = [(names[n], *file_state(path / names[n])) for n in self.numbers.tolist()]
        else:
            state = [path.name, *file_state(path)]
        content = json.dumps([state, asdict(self.form)]).encode()
        return hashlib.sha256(content + self.numbers.tobytes()).hexdigest()

    def batches(self, batch_size: int, *, part: int = 0, parts: int = 1) -> Iterator[Batch]:
        """All pictures once, in order.

        Args:
            batch_size: B.
            part: Of `parts`, the pictures that this process reads; all parts get as many batches.
            parts: Into how many the set is divided.

        Raises:
            ImageError: If a picture cannot be read, or is of another size than the first.
        """
        records = one_pass(
            FormedSource(self.source, self.form, self.numbers),
            batch_size=batch_size,
            shard_index=part,
            shard_count=parts,
            transform="none",
            threads=self.threads,
            strict=True,
        )
        batch = None
        for _ in range(batch_count(len(self), batch_size * parts)):
            if (record := next(records, None)) is not None:
                batch = filled(Batch(record["number"], record["image"]), batch_size)
            elif batch is not None:
                batch = Batch(np.full(batch_size, PADDING), batch.images)
            if batch is not None:
                yield batch


class NamedPictures:
    """The pictures of a folder by their names without suffixes, or by those of their folders."""

    def __init__(self, folder: pathlib.Path, form: Form, *, picture: str = "") -> None:
        """Lists them; none is read yet.

        Args:
            folder: Holds them, and others perhaps.
            form: What they are brought to.
            picture: Name of a file that is taken of every folder below, with or without its suffix;
                it then goes by the name of that folder. "" takes every file by its own name.

        Raises:
            ImageError: If the folder holds no picture at all, or two of one name.
        """
        self._source, self._form = FolderSource(folder), form
        self._places: dict[str, int] = {}
        for index, name in enumerate(self._source.names):
            path = pathlib.PurePosixPath(name)
            if picture and picture not in (path.name, path.stem):
                continue
            stem = path.parent.as_posix() if picture else stem_of(name)
            first = self._places.setdefault(stem, index)
            if first != index:
                raise ImageError(
                    f"{self._source.name(index)}: has the name of {self._source.names[first]} but "
                    "for the suffix; required is one picture of each name, remove one"
                )

    @property
    def stems(self) -> list[str]:
        """The names, sorted as their files are."""
        return list(self._places)

    @property
    def example(self) -> str:
        """A file of the folder, of those that are taken if there are any."""
        return self._source.names[next(iter(self._places.values()), 0)]

    def read(self, stem: str, *, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """One picture, uint8 [H, W, 3].

        Args:
            stem: Its name without suffix.
            shape: That it must have; None admits any.

        Raises:
            ImageError: If it is not there, cannot be read, or is of another size.
        """
        if stem not in self._places:
            raise ImageError(
                f"{self._source.path}: has no picture for {stem!r}, of any suffix; it holds "
                f"{len(self._places)}, such as {self.example!r}: give them the names of the "
                "originals"
            )
        index = self._places[stem]
        image = to_form(self._source[index]["image"], self._form, self._source.name(index))
        if shape not in (None, image.shape):
            size, wanted = (f"{x[1]} x {x[0]}" for x in (image.shape, shape))
            raise ImageError(f"{self._source.name(index)}: is {size}; required is {wanted}")
        return image

    def like(self, batch: Batch, originals: PictureSet) -> np.ndarray:
        """The pictures that have the names of those of a batch, uint8 [B, H, W, 3].

        Args:
            batch: Pictures of `originals`; where it only fills up, its own are given back.
            originals: Knows their names.

        Raises:
            ImageError: If one is not there, cannot be read, or is of another size.
        """
        images = batch.images.copy()
        for row in np.flatnonzero(batch.numbers != PADDING):
            stem = originals.stem(int(batch.numbers[row]))
            images[row] = self.read(stem, shape=images.shape[1:])
        return images
