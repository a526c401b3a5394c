"""`sfe align`: cut faces out of photographs as FFHQ's were cut."""

import pathlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sfe_jax.cli.options import Images, OptionalWeights, Out, list_pictures, output_names
from sfe_jax.cli.photographs import Finder, describe_face, open_finder, take_largest
from sfe_jax.core.errors import ImageError, OptionError

if TYPE_CHECKING:
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

    keep_compiled()
    return load_bundle(weights)


def _align_picture(
    path: pathlib.Path, find: Finder, *, stem: pathlib.Path, size: int, all_faces: bool
) -> Iterator[dict[str, Any]]:
    """Writes the faces of a photograph beside `stem`; gives what is known of each.

    Raises:
        ImageError: If the photograph cannot be read, or has no face.
    """
    from sfe_jax.alignment.cropping import align_face
    from sfe_jax.core.images import load_image, save_image

    photo = load_image(path)
    faces = find(photo, path)
    chosen = faces if all_faces else [take_largest(faces, path)]
    for number, found in enumerate(chosen, start=1):
        face = align_face(photo, found.points, size=size, name=path)
        file = f"{stem.name}.png" if number == 1 else f"{stem.name} face {number}.png"
        save_image(stem.parent / file, face.image)
        yield {"image": path, "file": file, "size": size, **describe_face(found, face)}


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
    both counted from pixel edges. A picture without a face is named and skipped; exit status 1
    if none had one.

    Example: sfe align photos/ --weights mtcnn.safetensors -o aligned

    Args:
        images: Photographs, or folders of them.
        weights: Bundle that holds MTCNN; not needed with --points.
        out: Folder for the results; it is made.
        size: Pixels a side of the aligned pictures.
        all_faces: Write the other faces too, as DIR/NAME face 2.png and so on.
        points: File (.json, .npy) of x, y in pixels of one photograph: two eyes, nose and two
            corners of the mouth, left before right, or dlib's 68 points.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise OptionError(f"--size is {size}; required is from {SIZES[0]} to {SIZES[1]}")
    paths = list_pictures(images)

    from sfe_jax.cli.console import say
    from sfe_jax.cli.report import write_json
    from sfe_jax.core.console import progress

    find = open_finder(lambda: _open_bundle(weights), paths, points=points)
    records, skipped = [], 0
    try:
        names = zip(paths, output_names(paths), strict=True)
        for path, name in progress(names, "aligning", total=len(paths)):
            try:
                faces = _align_picture(path, find, stem=out / name, size=size, all_faces=all_faces)
                records.extend(faces)
            except ImageError as error:
                skipped += 1
                say(f"skipped {error}")
    finally:
        if records:
            write_json(out / "align.json", records)
    say(f"faces in {out}: {len(records)}; photographs skipped: {skipped} of {len(paths)}")
    if not records:
        sys.exit(1)
