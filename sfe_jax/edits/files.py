"""Published direction files, and a user's own, as plain arrays.

Arrays have stable names, which bundles keep too: "interfacegan/age", "ganspace/ffhq/mean", ...
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from sfe_jax import readers
from sfe_jax.core.errors import EditError, FileFormatError
from sfe_jax.edits.direction import Direction, Linear

FILES = {
    "interfacegan/age": "age.pt",
    "interfacegan/smile": "smile.pt",
    "interfacegan/rotation": "rotation.pt",
    "boundary/eyeglasses": "Eyeglasses_boundary.npy",
    "boundary/smiling": "Smiling_boundary.npy",
    "boundary/heavy_makeup": "Heavy_Makeup_boundary.npy",
    "ganspace/ffhq": "ffhq_pca.pt",
    "ganspace/cars": "cars_pca.pt",
    "ganspace/church": "church_pca.pt",
}
"""Name of an array, or prefix of a GANSpace file's three -> name of its published file."""


def finite_array(value: object, what: str) -> np.ndarray:
    """`value` as float32.

    Args:
        value: What a file holds.
        what: Where it stands, for messages.

    Raises:
        FileFormatError: If it is no array of finite numbers.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or not value.size:
        raise FileFormatError(f"{what} is no array of numbers; required is a direction")
    with np.errstate(over="ignore"):  # Answered below, by name.
        array = np.asarray(value, np.float32)
    if not np.isfinite(array).all():
        raise FileFormatError(f"{what} has numbers that are not finite; get the file again")
    return array


def read_vector(path: str | pathlib.Path) -> np.ndarray:
    """The array of a linear direction.

    Args:
        path: A .pt or .npy file that holds one array.

    Returns:
        float32, in the file's shape: [W], [1, W], [L, W] or [1, L * W].

    Raises:
        FileFormatError: If the file holds anything else.
    """
    return finite_array(readers.read(path), str(path))


def read_ganspace(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """The principal components of W that GANSpace found.

    Args:
        path: A .pt file of a dict with mean [1, W], comp [K, 1, W] and std [K].

    Returns:
        "mean" [W], "components" [K, W] of unit norm and "std" [K], float32.

    Raises:
        FileFormatError: If the file holds anything else.
    """
    content = readers.read(path)
    if not isinstance(content, Mapping) or not {"mean", "comp", "std"} <= content.keys():
        raise FileFormatError(f"{path} is no GANSpace file; required is a dict of mean, comp, std")
    mean, components, std = (
        finite_array(content[key], f"`{key}` in {path}") for key in ("mean", "comp", "std")
    )
    if components.size != mean.size * std.size:
        raise FileFormatError(
            f"{path} has mean {mean.shape}, comp {components.shape} and std {std.shape}; "
            "required are (1, W), (K, 1, W) and (K,)"
        )
    mean, std = mean.reshape(-1), std.reshape(-1)
    return {"mean": mean, "components": components.reshape(std.size, mean.size), "std": std}


def _locate(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """The file `name` in `folder` or in a folder of it; None if there is none."""
    found = sorted((*folder.glob(name), *folder.glob(f"*/{name}")))
    if len(found) > 1:
        places = " and ".join(str(path) for path in found)
        raise EditError(f"directions: {name} is there more than once, as {places}; keep one")
    return found[0] if found else None


def find_direction_files(folder: str | pathlib.Path) -> dict[str, pathlib.Path]:
    """Lists the published direction files of a folder.

    Args:
        folder: Holds files of `FILES`, itself or one level down, as StyleFeatureEditor's
            `editings` does. Others are left alone.

    Returns:
        Name or prefix in `FILES` -> path, in the order of `FILES`.

    Raises:
        EditError: If there is no such folder, none of the files, or one of them twice.
    """
    located = {array: _locate(pathlib.Path(folder), name) for array, name in FILES.items()}
    found = {array: path for array, path in located.items() if path}
    if not found:
        raise EditError(
            f"directions folder {folder} holds no direction file; "
            f"required is at least one of {', '.join(FILES.values())}"
        )
    return found


def read_direction_file(array: str, path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a published direction file.

    Args:
        array: Its name or prefix in `FILES`.
        path: Where it is.

    Returns:
        Stable name -> float32 array: "interfacegan/age", or "ganspace/ffhq/mean" and so on.

    Raises:
        FileFormatError: If it is broken.
    """
    if array.startswith("ganspace/"):
        return {f"{array}/{part}": value for part, value in read_ganspace(path).items()}
    return {array: read_vector(path)}


def load_directions(folder: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads every published direction file of a folder.

    Args:
        folder: As in `find_direction_files`.

    Returns:
        Stable name -> float32 array, of all files.

    Raises:
        EditError: If there is no such folder, none of the files, or one of them twice.
        FileFormatError: If a file is broken.
    """
    arrays: dict[str, np.ndarray] = {}
    for array, path in find_direction_files(folder).items():
        arrays |= read_direction_file(array, path)
    return arrays


def own_direction(path: str | pathlib.Path) -> tuple[Direction, dict[str, np.ndarray]]:
    """A user's own vector as a linear edit of W+, with factor 1 and no documented range.

    Args:
        path: A .pt or .npy file that holds one array: [W], [1, W], [L, W] or [1, L * W].

    Returns:
        The direction, named after the file, and its array under the name it reads.

    Raises:
        FileFormatError: If the file holds anything else.
    """
    name = pathlib.Path(path).stem
    array = f"own/{name}"
    direction = Direction(name, "own file", Linear(array, 1.0), None, None, "", str(path))
    return direction, {array: read_vector(path)}
