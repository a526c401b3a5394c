"""Sources by their names on the command line and in recipes."""

import os

from sfe_jax.core.errors import OptionError
from sfe_jax.data.faces_builder import FacesOptions, prepare_faces
from sfe_jax.data.folders import FolderSource
from sfe_jax.data.pairs import PairedSource
from sfe_jax.data.pictures import Form
from sfe_jax.data.sources import PictureFiles, Source
from sfe_jax.data.tfds_sources import TfdsSource, open_tfds
from sfe_jax.data.zips import ZipSource


def _open_files(place: str, *, required: str) -> PictureFiles:
    """Opens a folder or an archive; `required` is for the message if it is neither."""
    # Not `pathlib`, for which an empty name is the folder one happens to be in.
    if os.path.isdir(place):
        return FolderSource(place)
    if os.path.isfile(place) and place.lower().endswith(".zip"):
        return ZipSource(place)
    state = "is a file of another kind" if os.path.exists(place) else "does not exist"
    raise OptionError(f"source {place!r} {state}; required is {required}")


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
    return _open_files(text, required='a folder, a .zip, "tfds:NAME[/CONFIG]:SPLIT", or "faces"')


def open_pairs(pictures: str, conditions: str, *, channels: int, form: Form) -> PairedSource:
    """Opens pictures and what an encoder reads of each.

    Args:
        pictures: A folder or a .zip.
        conditions: Another one.
        channels: Of what the encoder reads; see `PairedSource`.
        form: Of the pictures.

    Raises:
        OptionError: If a place is neither, or a picture has no partner.
        ImageError: If a folder holds no picture.
        FileFormatError: If an archive or its labels cannot be used.
    """
    opened = (
        _open_files(place, required="a folder or a .zip, for pairs")
        for place in (pictures, conditions)
    )
    return PairedSource(*opened, channels=channels, form=form)
