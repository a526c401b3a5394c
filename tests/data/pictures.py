"""Pictures, folders and archives for the tests of the data layer."""

import io
import json
import zipfile

import numpy as np
from PIL import Image


def noise(*shape, seed=0):
    """Random levels, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def flat(level, side=16):
    """A picture of one level, by which it is known again: uint8 [side, side, 3]."""
    return np.full((side, side, 3), level, np.uint8)


def png(levels):
    """Content of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG")
    return stream.getvalue()


def flat_files(count, side=16):
    """`count` files, each of the level of its number."""
    return {f"{index:03d}.png": png(flat(index, side)) for index in range(count)}


def write_folder(folder, files, labels=None):
    """Writes name -> content below `folder`, and `dataset.json` of labels; gives the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if labels is not None:
        (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def write_zip(path, files, labels=None, *, method=zipfile.ZIP_STORED):
    """Writes name -> content, and `dataset.json` of labels, into an archive; gives its path."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if labels is not None:
            archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return path


def levels_of(batch):
    """The levels that a batch of flat pictures has, in order."""
    return batch["image"][:, 0, 0, 0].tolist()
