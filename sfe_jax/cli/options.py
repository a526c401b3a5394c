"""Options that several subcommands share, and what they open."""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sfe_jax.core.choices import Precision
from sfe_jax.core.errors import FileFormatError, OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.edits.direction import Direction
    from sfe_jax.pipelines.editor import Editor

Images = Annotated[
    tuple[pathlib.Path, ...],
    tyro.conf.Positional,
    tyro.conf.arg(metavar="IMAGE...", help_behavior_hint="(required)"),
]
Weights = Annotated[pathlib.Path, tyro.conf.arg(aliases=["-w"], metavar="BUNDLE")]
OptionalWeights = Annotated[pathlib.Path | None, tyro.conf.arg(aliases=["-w"], metavar="BUNDLE")]
Out = Annotated[pathlib.Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
MethodName = Literal["sfe", "inverter", "e4e", "psp"]
Domain = Literal["faces", "cars"]


def catalogue(domain: Domain) -> "tuple[Direction, ...]":
    """The published edits of a domain."""
    from sfe_jax.edits.catalogue import CARS, FACES

    return FACES if domain == "faces" else CARS


def _held(catalogue: "Iterable[Direction]", arrays: "dict[str, np.ndarray]") -> "list[Direction]":
    """The directions of a catalogue whose arrays are among `arrays`."""
    prefixes = {name[:end] for name in arrays for end in (None, name.rfind("/"))}
    return [each for each in catalogue if getattr(each.rule, "array", None) in prefixes]


def read_directions(
    path: pathlib.Path, domain: Domain
) -> "tuple[tuple[Direction, ...], dict[str, np.ndarray]]":
    """Directions and arrays of published files, a bundle, or a vector or mapper of the user's own.

    Raises:
        SfeError: If they cannot be used.
    """
    from sfe_jax.edits.files import FILES, load_directions, own_direction, read_direction_file
    from sfe_jax.pipelines.bundle import is_bundle, load_bundle

    if not path.is_file():
        arrays = load_directions(path)
        return tuple(_held(catalogue(domain), arrays)), arrays
    if is_bundle(path):
        bundle = load_bundle(path, roles=())
        if not (bundle.records or bundle.directions):
            raise OptionError(f"--directions {path} is a bundle without directions; fit some")
        return bundle.records, bundle.directions
    if path.name in FILES.values():
        array = next(array for array, name in FILES.items() if name == path.name)
        arrays = read_direction_file(array, path)
        return tuple(_held(catalogue(domain), arrays)), arrays
    own, arrays = own_direction(path)
    return (own,), arrays


def open_editor(
    weights: pathlib.Path,
    *,
    method: MethodName | None,
    precision: Precision,
    batch: int,
    domain: Domain = "faces",
    directions: pathlib.Path | None = None,
) -> "Editor":
    """An editor of a bundle, with the compilation cache on.

    Of directions of the same name, one in `directions` comes before one in the bundle, and that
    before the published one.

    Raises:
        OptionError: If `batch` is below 1.
        SfeError: If the bundle or the directions cannot be used.
    """
    if batch < 1:
        raise OptionError(f"--batch is {batch}; required is at least 1")

    from sfe_jax.cli.console import say
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.pipelines.bundle import load_bundle
    from sfe_jax.pipelines.editor import Editor

    keep_compiled()
    records, arrays = read_directions(directions, domain) if directions else ((), {})
    bundle = load_bundle(weights)
    editor = Editor(
        dataclasses.replace(bundle, records=(*bundle.records, *records)),
        method=method,
        precision=precision,
        batch_size=batch,
        directions=catalogue(domain),
        direction_arrays=arrays,
    )
    say(f"{weights}: method {editor.method_name}, {editor.resolution}x{editor.resolution}")
    return editor


def read_array(path: pathlib.Path) -> "np.ndarray":
    """The numbers in a .npy file, or of the only array in a .npz or .pt file, as float32.

    Raises:
        FileFormatError: If the file holds anything else.
    """
    import numpy as np

    from sfe_jax.readers import read

    content: Any = read(path)
    if isinstance(content, dict) and len(content) == 1:
        (content,) = content.values()
    if not isinstance(content, np.ndarray) or content.dtype.kind not in "biuf":
        raise FileFormatError(f"{path}: required is one array of numbers, such as a .npy file")
    return np.asarray(content, np.float32)


def list_pictures(images: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """The pictures that the user named, folders expanded.

    Raises:
        OptionError: If none is named.
        ImageError: If a path does not exist or a folder holds no picture.
    """
    from sfe_jax.core.images import find_images

    paths = find_images(images)
    if not paths:
        raise OptionError("no IMAGE given; name photographs, or folders of them")
    return paths


def free_name(stem: str, taken: set[str]) -> str:
    """`stem`, numbered where it is taken, and then taken: nothing is lost.

    Names that differ in case alone count as one, as they do on macOS. Dots at the ends are left
    out: a name of dots alone, the stem of `...png`, would be another folder.
    """
    stem = stem.strip(". ") or "picture"
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name
