"""Photographs as they come from a camera: whose faces are found, or whose points the user gives."""

import json
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sfe_jax.cli.options import read_array
from sfe_jax.core.errors import FileFormatError, OptionError

if TYPE_CHECKING:
    import numpy as np

    from sfe_jax.alignment.cropping import AlignedFace
    from sfe_jax.pipelines.bundle import Bundle


class Found(NamedTuple):
    """A face of a photograph."""

    points: "np.ndarray"  # [5, 2] or [68, 2], x and y in its pixels.
    facts: dict[str, Any]  # What its finder knows of it, ready for JSON.


Finder = Callable[["np.ndarray", pathlib.Path], list[Found]]
"""Of a photograph uint8 [H, W, 3] and its path: the faces, the largest first, at least one."""


def find_by_networks(bundle: "Bundle") -> Finder:
    """Faces that MTCNN finds.

    Raises:
        WeightsError: If the bundle lacks it.
    """
    from sfe_jax.pipelines.alignment import find_faces, open_detector

    detector = open_detector(bundle)

    def find(photo: "np.ndarray", path: pathlib.Path) -> list[Found]:
        faces = find_faces(detector, photo, path)
        return [
            Found(face.points, {"box": face.box, "score": round(face.certainty, 4)})
            for face in faces
        ]

    return find


def find_by_points(path: pathlib.Path) -> Finder:
    """The face whose five or 68 points a file holds.

    Raises:
        SfeError: If it holds anything else.
    """
    import numpy as np

    from sfe_jax.alignment.quads import quad_of_points

    try:
        is_json = path.suffix.lower() == ".json"
        points = np.array(json.loads(path.read_bytes()), float) if is_json else read_array(path)
    except (OSError, ValueError, TypeError, RecursionError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileFormatError(
            f"--points {path}: cannot be used ({reason}); required are x, y in pixels of two eyes, "
            "nose and two corners of the mouth, left before right, or of dlib's 68 points"
        ) from error
    quad_of_points(points, name=f"--points {path}")
    return lambda *_: [Found(points, {})]


def open_finder(
    bundle: Callable[[], "Bundle"], paths: list[pathlib.Path], *, points: pathlib.Path | None
) -> Finder:
    """What finds the faces of photographs.

    Args:
        bundle: Gives the networks, where no points are given.
        paths: Of the photographs.
        points: File of the points of the only one, or None.

    Raises:
        OptionError: If there are points and several photographs.
        SfeError: If the points or the networks cannot be used.
    """
    if points is None:
        return find_by_networks(bundle())
    if len(paths) != 1:
        raise OptionError(f"--points are of one photograph; {len(paths)} are given")
    return find_by_points(points)


def take_largest(faces: list[Found], path: pathlib.Path) -> Found:
    """The first of a photograph's faces; says so if there are others."""
    from sfe_jax.cli.console import say

    if len(faces) > 1:
        say(f"{path}: {len(faces)} faces, the largest is taken")
    return faces[0]


def describe_face(found: Found, face: "AlignedFace") -> dict[str, Any]:
    """Where a face lies in its photograph, ready for JSON."""
    from sfe_jax.alignment.quads import quad_of_points

    return {
        **found.facts,
        "points": found.points,
        "quad": quad_of_points(found.points),
        "transform": face.placement.to_photo,
    }
