"""Published direction files, and a user's own, as plain arrays.

Arrays have stable names, which bundles keep too: "interfacegan/age", "ganspace/ffhq/mean", ...
"""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from sfe_jax import readers
from sfe_jax.core.errors import EditError, FileFormatError
from sfe_jax.edits.direction import MAPPER_LEVELS, Direction, Linear, Mapper

MAPPERS = (
    "afro", "angry", "beyonce", "bobcut", "bowlcut", "curly_hair", "depp", "hilary_clinton",
    "mohawk", "purple_hair", "surprised", "taylor_swift", "trump", "zuckerberg",
)  # fmt: skip
"""Names of StyleCLIP's latent mappers that StyleFeatureEditor uses."""

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
    **{f"mapper/{name}": f"{name}.pt" for name in MAPPERS},
}
"""Name of an array, or prefix of those of GANSpace or of a mapper -> name of its published file."""


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


def is_mapper(content: object) -> bool:
    """Whether what a file holds is a latent mapper of StyleCLIP."""
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    return isinstance(state, Mapping) and any(str(key).startswith("mapper.") for key in state)


def _level_keys(level: str) -> dict[str, list[str]]:
    """Name of an array of a level -> its parts' names in official files."""
    official = {"coarse": "course"}.get(level, level)  # As StyleCLIP spells it.
    return {
        f"{level}_{part}": [
            f"mapper.{official}_mapping.mapping.{number}.{part}" for number in (1, 2, 3, 4)
        ]
        for part in ("weight", "bias")
    }


def _stacked(keys: Sequence[str], state: Mapping, where: str) -> np.ndarray:
    """The arrays `keys` of a file as one."""
    parts = [finite_array(state[key], f"`{key}` in {where}") for key in keys]
    if len({part.shape for part in parts}) > 1:
        raise FileFormatError(
            f"{where} has layers of different shapes from {keys[0]} on; required are equal ones"
        )
    return np.stack(parts)


def mapper_arrays(content: object, where: str) -> dict[str, np.ndarray]:
    """The levels of a latent mapper.

    Args:
        content: Of a file: a dict whose `state_dict` holds, under `mapper.`, four layers for each
            level that moves, and nothing else. What is not under `mapper.` is left alone: the
            generator that the mapper was trained with.
        where: The file, for messages.

    Returns:
        For each level "coarse_weight" [4, W, W] and "coarse_bias" [4, W] and so on, float32.

    Raises:
        FileFormatError: If the file holds anything else.
    """
    if not isinstance(content, Mapping) or not is_mapper(content):
        raise FileFormatError(
            f"{where} is no latent mapper of StyleCLIP; required is a dict whose `state_dict` has "
            "names that begin with mapper."
        )
    state = {k: v for k, v in content["state_dict"].items() if str(k).startswith("mapper.")}
    groups: dict[str, list[str]] = {}
    for level in MAPPER_LEVELS:
        keys = _level_keys(level)
        if any(key in state for part in keys.values() for key in part):
            groups |= keys
    if odd := state.keys() ^ {key for keys in groups.values() for key in keys}:
        raise FileFormatError(
            f"{where} has not the layers of a mapper by levels: {min(odd)} is missing or too many; "
            "required are weight and bias of four layers for each level that moves"
        )
    return {name: _stacked(keys, state, where) for name, keys in groups.items()}


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
    if not pathlib.Path(folder).is_dir():
        raise EditError(
            f"directions {folder}: does not exist; give a folder, or a file of one edit"
        )
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
    if array.startswith("mapper/"):
        parts = mapper_arrays(readers.read(path), str(path))
        return {f"{array}/{part}": value for part, value in parts.items()}
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


def own_mapper(
    content: object, path: str | pathlib.Path
) -> tuple[Direction, dict[str, np.ndarray]]:
    """A user's own latent mapper as an edit with no documented range.

    Args:
        content: As `mapper_arrays` takes it.
        path: Of its file.

    Returns:
        The direction, named after the file, which moves the levels that the file has; and its
        arrays under the names it reads.

    Raises:
        FileFormatError: If it is no mapper.
    """
    name = pathlib.Path(path).stem
    parts = mapper_arrays(content, str(path))
    levels = tuple(level for level in MAPPER_LEVELS if f"{level}_weight" in parts)
    rule = Mapper(f"own/{name}", levels)
    direction = Direction(name, "own file", rule, None, None, "", pathlib.Path(path).name)
    return direction, {f"own/{name}/{part}": value for part, value in parts.items()}


def own_direction(path: str | pathlib.Path) -> tuple[Direction, dict[str, np.ndarray]]:
    """A user's own edit, with no documented range: a vector, with factor 1, or a latent mapper.

    Args:
        path: A .pt or .npy file that holds one array, [W], [1, W], [L, W] or [1, L * W]; or a file
            of a mapper.

    Returns:
        The direction, named after the file, and its arrays under the names it reads.

    Raises:
        FileFormatError: If the file holds anything else.
    """
    content = readers.read(path)
    if is_mapper(content):
        return own_mapper(content, path)
    name = pathlib.Path(path).stem
    array = f"own/{name}"
    direction = Direction(
        name, "own file", Linear(array, 1.0), None, None, "", pathlib.Path(path).name
    )
    return direction, {array: finite_array(content, str(path))}
