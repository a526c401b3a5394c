"""Pictures in a folder."""

import os
import pathlib

from sfe_jax.core.errors import FileFormatError
from sfe_jax.core.images import find_images, read_picture
from sfe_jax.data.labels import MAX_JSON_BYTES
from sfe_jax.data.sources import PictureFiles


class FolderSource(PictureFiles):
    """All pictures below a folder, sorted, with the labels of its `dataset.json` if it has one.

    Hidden files and folders are left out, as `sfe_jax.core.images.find_images` does.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Lists the pictures; none is opened yet.

        Raises:
            ImageError: If the folder does not exist or holds no picture.
            FileFormatError: If its `dataset.json` cannot be used.
        """
        path = pathlib.Path(path)
        names = [picture.relative_to(path).as_posix() for picture in find_images([path])]
        super().__init__(path, names, _labels(path / "dataset.json"))

    def read(self, index: int) -> bytes:
        """Content of file `index`; see `PictureFiles.read`."""
        return read_picture(self.path / self.names[index])


def _labels(path: pathlib.Path) -> bytes | None:
    """Content of `dataset.json`, or None where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_JSON_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = f"cannot be opened ({error.strerror})"
        raise FileFormatError(f"{path}: {reason}; mend or remove it") from error
