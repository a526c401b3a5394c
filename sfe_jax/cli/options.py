"""Options that several subcommands share, and what they open."""

import pathlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    from sfe_jax.pipelines.editor import Editor

Images = Annotated[
    tuple[pathlib.Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE...")
]
Weights = Annotated[pathlib.Path, tyro.conf.arg(aliases=["-w"], metavar="BUNDLE")]
Out = Annotated[pathlib.Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
MethodName = Literal["sfe", "inverter", "e4e", "psp"]
Precision = Literal["float32", "bfloat16"]
Domain = Literal["faces", "cars"]


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

    Raises:
        OptionError: If `batch` is below 1.
        SfeError: If the bundle or the directions cannot be used.
    """
    if batch < 1:
        raise OptionError(f"--batch is {batch}; required is at least 1")

    from sfe_jax.cli.console import prepare_jax, say
    from sfe_jax.edits.catalogue import CARS, FACES
    from sfe_jax.edits.files import load_directions, own_direction
    from sfe_jax.pipelines.bundle import load_bundle
    from sfe_jax.pipelines.editor import Editor

    prepare_jax()
    catalogue, arrays = FACES if domain == "faces" else CARS, {}
    if directions is not None and directions.is_file():
        own, arrays = own_direction(directions)
        catalogue = (*catalogue, own)
    elif directions is not None:
        arrays = load_directions(directions)
    editor = Editor(
        load_bundle(weights),
        method=method,
        precision=precision,
        batch_size=batch,
        directions=catalogue,
        direction_arrays=arrays,
    )
    say(f"{weights}: method {editor.method_name}, {editor.resolution}x{editor.resolution}")
    return editor


def list_pictures(images: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """The pictures that the user named, folders expanded.

    Raises:
        OptionError: If none is named.
        ImageError: If a path does not exist or a folder holds no picture.
    """
    from sfe_jax.core.images import find_images

    paths = find_images(images)
    if not paths:
        raise OptionError("no IMAGE given; name aligned photographs, or folders of them")
    return paths


def output_names(paths: Iterable[pathlib.Path]) -> Iterator[str]:
    """One folder name per picture: its stem, numbered where it is taken, so nothing is lost."""
    taken: set[str] = set()
    for path in paths:
        name, number = path.stem, 1
        while name in taken:
            number += 1
            name = f"{path.stem}-{number}"
        taken.add(name)
        yield name
