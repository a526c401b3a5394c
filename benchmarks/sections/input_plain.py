"""The input pipeline as it is usually written, for comparison: Pillow and PyTorch's DataLoader.

Pictures are square, as aligned faces are. Needs torch for the loader alone; worker processes import
neither JAX nor our library.
"""

# pyright: reportMissingImports=false

import abc
import importlib.util
import io
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image


class Files(abc.ABC):
    """Contents of picture files by number; what is opened stays in its process.

    Args:
        path: Where they lie.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self._opened: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}

    @abc.abstractmethod
    def _open(self) -> Any:
        """Opens it."""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def __getitem__(self, index: int) -> bytes: ...

    @property
    def opened(self) -> Any:
        """What is read from, opened when it is first asked for."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened


class FolderFiles(Files):
    """Files of a folder."""

    def _open(self) -> list[pathlib.Path]:
        return sorted(self.path.iterdir())

    def __len__(self) -> int:
        return len(self.opened)

    def __getitem__(self, index: int) -> bytes:
        return self.opened[index].read_bytes()


class ZipFiles(Files):
    """Members of an archive that are PNG files."""

    def _open(self) -> tuple[zipfile.ZipFile, list[str]]:
        archive = zipfile.ZipFile(self.path)
        return archive, sorted(name for name in archive.namelist() if name.endswith(".png"))

    def __len__(self) -> int:
        return len(self.opened[1])

    def __getitem__(self, index: int) -> bytes:
        archive, names = self.opened
        return archive.read(names[index])


class RecordFiles(Files):
    """Pictures of the split "train" of a TFDS data set, as ArrayRecord holds them."""

    def _open(self) -> Any:
        import tensorflow_datasets as tfds

        builder: Any = tfds.builder_from_directory(self.path)
        return builder.as_data_source(split="train", decoders={"image": tfds.decode.SkipDecoding()})

    def __len__(self) -> int:
        return len(self.opened)

    def __getitem__(self, index: int) -> bytes:
        return self.opened[index]["image"]


class Pictures:
    """Pictures as networks want them: a data set in PyTorch's sense.

    Args:
        files: Contents by number.
        resolution: Pixels a side; others are resized by a Lanczos filter.
        mirror: Whether pictures are mirrored with probability 1/2.
    """

    def __init__(self, files: Files, *, resolution: int, mirror: bool):
        self.files, self.resolution, self.mirror = files, resolution, mirror
        self._random = np.random.default_rng()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        """Picture `index`, uint8 [R, R, 3]."""
        with Image.open(io.BytesIO(self.files[index])) as opened:
            image = opened.convert("RGB")
        size = (self.resolution, self.resolution)
        if image.size != size:
            image = image.resize(size, Image.Resampling.LANCZOS)
        if self.mirror and self._random.integers(2):
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.array(image)


def has_torch() -> bool:
    """Whether PyTorch can be imported."""
    return importlib.util.find_spec("torch") is not None


def in_order(pictures: Pictures, batch_size: int) -> Iterator[np.ndarray]:
    """Every picture once, in order: uint8 [B, R, R, 3]."""
    from torch.utils.data import DataLoader

    for batch in DataLoader(pictures, batch_size=batch_size):  # pyright: ignore[reportArgumentType]
        yield batch.numpy()


def at_random(pictures: Pictures, batch_size: int, *, workers: int) -> Iterator[Any]:
    """Batches without end, of pictures drawn at random: there is no pause between epochs.

    Args:
        pictures: To draw from.
        batch_size: B.
        workers: Processes that read ahead; 0 reads when asked.

    Returns:
        Iterator over tensors, uint8 [B, R, R, 3].
    """
    from torch.utils.data import DataLoader, RandomSampler

    loader = DataLoader(
        pictures,  # pyright: ignore[reportArgumentType]
        batch_size=batch_size,
        sampler=RandomSampler(pictures, replacement=True, num_samples=1 << 30),
        num_workers=workers,
        # JAX's threads, if there are any, do not survive a fork.
        multiprocessing_context="spawn" if workers else None,
    )
    return iter(loader)
