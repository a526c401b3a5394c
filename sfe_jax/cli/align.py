"""`sfe align`: cut faces out of photographs as FFHQ's were cut."""

import itertools
import os.path
import pathlib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sfe_jax.cli.options import Images, OptionalWeights, Out, free_name, list_pictures
from sfe_jax.cli.photographs import Finder, describe_face, open_finder, take_largest
from sfe_jax.cli.wording import in_options
from sfe_jax.core.errors import ImageError, OptionError

if TYPE_CHECKING:
    from sfe_jax.alignment.cropping import AlignedFace
    from sfe_jax.pipelines.bundle import Bundle

SIZES = (16, 4096)
"""Least and most pixels a side of an aligned picture."""


def _open_bundle(weights: pathlib.Path | None) -> "Bundle":
    """The bundle with the networks that find faces.

    Raises:
        OptionError: If none is named.
        WeightsError: If it cannot be read.
    """
    if weights is None:
        raise OptionError(
            "no --weights given, so faces cannot be found; convert pixel2style2pixel's files by "
            "`python -m convert_weights pnet.npy rnet.npy onet.npy -o mtcnn.safetensors`, or give "
            "--points"
        )
    from sfe_jax.core.cache import keep_compiled
    from sfe_jax.pipelines.bundle import load_bundle
    from sfe_jax.pipelines.face_detection import MTCNN_ROLES

    keep_compiled()
    return load_bundle(weights, roles=MTCNN_ROLES)


def _check_spares(files: Iterable[pathlib.Path], photographs: Iterable[pathlib.Path]) -> None:
    """Raises if one of the files to be written is one of the photographs, by whatever name.

    Raises:
        OptionError: If one is.
    """
    spared = {(status.st_dev, status.st_ino) for status in map(pathlib.Path.stat, photographs)}
    for file in filter(os.path.exists, files):
        status = file.stat()
        if (status.st_dev, status.st_ino) in spared:
            raise OptionError(f"{file}: is one of the photographs; choose another --out")


def _face_files(out: pathlib.Path, name: str, taken: set[str]) -> Iterator[pathlib.Path]:
    """Of the faces of a photograph: named as it is, then by numbers that nothing has taken."""
    yield out / f"{name}.png"
    for number in itertools.count(2):
        yield out / f"{free_name(f'{name} face {number}', taken)}.png"


def _write_face(file: pathlib.Path, face: "AlignedFace") -> None:
    """Writes a face.

    Raises:
        OptionError: If the file cannot be written: no fault of the photograph, the next one's could
            not be either.
    """
    from sfe_jax.core.images import save_image

    try:
        save_image(file, face.image)
    except ImageError as error:
        raise OptionError(str(error)) from error


def _align_picture(
    path: pathlib.Path, find: Finder, *, files: Iterator[pathlib.Path], size: int, all_faces: bool
) -> Iterator[dict[str, Any]]:
    """Writes the faces of a photograph; gives what is known of each.

    Raises:
        ImageError: If the photograph cannot be read, or has no face.
        OptionError: If a face cannot be written.
    """
    from sfe_jax.alignment.cropping import align_face
    from sfe_jax.core.images import load_image

    photo = load_image(path)
    faces = find(photo, path)
    chosen = faces if all_faces else [take_largest(faces, path)]
    for found, file in zip(chosen, files, strict=False):
        face = align_face(photo, found.points, size=size, name=path)
        _write_face(file, face)
        yield {"image": str(path), "file": file.name, "size": size, **describe_face(found, face)}


def align(
    images: Images,
    /,
    weights: OptionalWeights = None,
    out: Out = pathlib.Path("out"),
    size: int = 1024,
    all_faces: bool = False,
    points: pathlib.Path | None = None,
) -> None:
    """Cuts the faces out of photographs, aligned as FFHQ is.

    Writes DIR/NAME.png, the largest face of each photograph, and DIR/align.json with its box,
    points, square, score, and the affine map [2, 3] from the aligned picture to the photograph,
    both counted from pixel edges (box, points and square from pixel centres). A picture without
    a face is named and skipped; exit status 1 if none had one.

    Example: sfe align photos/ --weights mtcnn.safetensors -o aligned

    Args:
        images: Photographs, or folders of them.
        weights: Bundle that holds MTCNN; not needed with --points.
        out: Folder for the results; it is made.
        size: Pixels a side of the aligned pictures.
        all_faces: Write the other faces too, as DIR/NAME face 2.png and so on.
        points: File (.json, .npy) of x, y in pixels of the only photograph, turned upright: two
            eyes, nose and two corners of the mouth, left before right as one sees the face, or
            dlib's 68 points.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise OptionError(f"--size is {size}; required is from {SIZES[0]} to {SIZES[1]}")
    paths = list_pictures(images)

    from sfe_jax.cli.console import say
    from sfe_jax.cli.report import Report
    from sfe_jax.core.console import progress

    report = Report(out / "align.json", paths)
    find = open_finder(lambda: _open_bundle(weights), paths, points=points)
    _check_spares((out / f"{name}.png" for name in report.names), paths)
    records, skipped, taken = [], 0, report.taken
    try:
        named = zip(paths, report.names, strict=True)
        for path, name in progress(named, "aligning", total=len(paths)):
            try:
                files = _face_files(out, name, taken)
                faces = _align_picture(path, find, files=files, size=size, all_faces=all_faces)
                records.extend({"name": name, **face} for face in faces)
            except ImageError as error:
                skipped += 1
                say(f"skipped {in_options(error)}")
    finally:
        if records:
            report.add(records)
    say(f"faces in {out}: {len(records)}; photographs skipped: {skipped} of {len(paths)}")
    if not records:
        sys.exit(1)
