"""Sources by their names on the command line and in recipes."""

import os

from sfe_jax.core.errors import OptionError
from sfe_jax.data.faces_builder import FacesOptions, prepare_faces
from sfe_jax.data.folders import FolderSource
from sfe_jax.data.sources import Source
from sfe_jax.data.tfds_sources import TfdsSource, open_tfds
from sfe_jax.data.zips import ZipSource

_KINDS = 'a folder, a .zip, "tfds:NAME[/CONFIG]:SPLIT", or "faces"'


def open_source(
    spec: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    faces: FacesOptions | None = None,
) -> Source:
    """Opens pictures to train or test on.

    Args:
        spec: A folder of pictures; a zip archive; "tfds:NAME[/CONFIG]:SPLIT", a prepared TFDS data
            set; or "faces", procedural faces, which are drawn if they are not there yet.
        data_dir: Where TFDS data sets and drawn faces are kept; None for the default of each.
        faces: Which faces to draw; None for `FacesOptions()`. For "faces" alone.

    Raises:
        OptionError: If `spec` is of no such form, or nothing is there.
        ImageError: If the folder holds no picture.
        FileFormatError: If the archive, its labels, or the data set cannot be used.
    """
    text = os.fspath(spec)
    if text == "faces":
        folder = prepare_faces(faces or FacesOptions(), data_dir=data_dir)
        return TfdsSource(folder, "train")
    if faces is not None:
        raise OptionError(f'`faces` is for the source "faces"; this one is {text!r}')
    if text.startswith("tfds:"):
        _, name, split = (*text.split(":", 2), "")[:3]
        if not name or not split:
            raise OptionError(f"source {text!r} is not of the form tfds:NAME[/CONFIG]:SPLIT")
        return open_tfds(name, split, data_dir=data_dir)
    # Not `pathlib`, for which an empty name is the folder one happens to be in.
    if os.path.isdir(text):
        return FolderSource(text)
    if os.path.isfile(text) and text.lower().endswith(".zip"):
        return ZipSource(text)
    state = "is a file of another kind" if os.path.exists(text) else "does not exist"
    raise OptionError(f"source {text!r} {state}; required is {_KINDS}")
