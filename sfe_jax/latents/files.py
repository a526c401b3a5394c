"""Codes as files, in the shapes in which the original programs write and read them."""

import os
import pathlib
from typing import Any

import numpy as np

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.core.files import written_whole
from sfe_jax.latents.parsing import CODE_SUFFIXES
from sfe_jax.latents.torch_files import write_tensor
from sfe_jax.readers import read


def _array_in(content: Any) -> Any:
    """The codes in what a file holds; anything but an array if there are none of one shape.

    Known are one array; a dict of one, or with the key `w`; and what the projector of rosinality's
    stylegan2-pytorch writes: per picture a dict with the key `latent`.
    """
    if not isinstance(content, dict) or not content:
        return content
    values = list(content.values())
    if all(isinstance(value, dict) and "latent" in value for value in values):
        try:
            return np.stack([np.asarray(value["latent"]) for value in values])
        except ValueError:
            return None
    return content.get("w", values[0] if len(values) == 1 else None)


def read_codes(path: str | os.PathLike[str], *, num_ws: int, w_dim: int) -> np.ndarray:
    """Codes from a .npy, .npz or .pt file, none of which is executed.

    Args:
        path: A file with [N, L, W], [L, W], [N, W] or [W]; what lacks rows is repeated for each.
            [L, W] is taken for one code, also where it could be L of them.
        num_ws: Rows L of the generator.
        w_dim: Size W of a row.

    Returns:
        float32 [N, L, W].

    Raises:
        OptionError: If the codes are not those of such a generator.
        FileFormatError: If the file holds no codes, or numbers that are not finite.
    """
    found = _array_in(read(pathlib.Path(path)))
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        known = ", ".join(CODE_SUFFIXES)
        raise FileFormatError(f"{path}: holds no codes; required is one array in {known}")
    codes = given = np.asarray(found, np.float32)
    if not np.isfinite(codes).all():
        raise FileFormatError(f"{path}: has numbers that are not finite; make the codes again")
    if codes.shape == (num_ws, w_dim):
        codes = codes[None]
    elif codes.ndim < 3 and codes.shape[-1:] == (w_dim,):
        codes = np.repeat(codes.reshape(-1, 1, w_dim), num_ws, axis=1)
    if codes.shape[1:] != (num_ws, w_dim) or not len(codes):
        wanted = f"[N, {num_ws}, {w_dim}], [{num_ws}, {w_dim}], [N, {w_dim}] or [{w_dim}]"
        raise OptionError(f"{path}: codes have shape {list(given.shape)}; required is {wanted}")
    return codes


def check_code_file(path: str | os.PathLike[str]) -> None:
    """Raises unless `save_codes` can write a file of this name.

    Raises:
        OptionError: If its suffix is not one of `CODE_SUFFIXES`.
    """
    suffix = pathlib.Path(path).suffix
    if suffix.lower() not in CODE_SUFFIXES:
        known = ", ".join(CODE_SUFFIXES)
        raise OptionError(f"{path}: has suffix {suffix!r}; required is one of {known}")


def save_codes(path: str | os.PathLike[str], ws: np.ndarray) -> None:
    """Writes codes [N, L, W] as float32, in the format of the suffix.

    A .npy holds the array as stylegan3-fun's; a .npz has it under `w`, as NVIDIA's projectors; a
    .pt is one tensor, as e4e's `latents.pt`.

    Args:
        path: Name with suffix .npy, .npz or .pt; replaced if it exists, its folder made.
        ws: Codes.

    Raises:
        OptionError: If the suffix is another.
        FileFormatError: If the file cannot be written.
    """
    path, ws = pathlib.Path(path), np.asarray(ws, np.float32)
    check_code_file(path)
    try:
        with written_whole(path) as temporary:
            match path.suffix.lower():
                case ".npy":
                    np.save(temporary, ws)
                case ".npz":
                    np.savez(temporary, w=ws)
                case ".pt":
                    write_tensor(temporary, ws)
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise FileFormatError(f"{path}: {reason}; choose another folder") from error
