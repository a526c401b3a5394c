"""Finds the faces of a photograph as it comes from a camera, so that they can be aligned.

Example:
    photo, detector = load_image("holiday.jpg"), open_detector(editor.bundle)
    face = align_face(photo, find_faces(detector, photo)[0].points, size=editor.resolution)
    edited = editor.edit(editor.invert(face.image[None]), "smile", [3])[0, 0]
    save_image("holiday smile.png", paste_face(photo, face, edited=edited))
"""

import numpy as np
from PIL import Image

from sfe_jax.core.errors import WeightsError
from sfe_jax.pipelines.bundle import Bundle
from sfe_jax.pipelines.face_detection import (
    MTCNN_ROLES,
    Face,
    FaceDetector,
    box_sizes,
    no_face,
    over_union,
    shared_areas,
)

DETECTION_SIDE = 1024
"""Pixels of a photograph's longer side when faces are looked for: time and memory stay bounded."""

CERTAINTY, AGREEMENT = 0.9, 0.6
"""What a face needs in the picture and in its mirror image, and the overlap of both boxes. With
its low thresholds MTCNN sees faces in jackets, of certainty up to 0.98, but not twice."""


def open_detector(bundle: Bundle) -> FaceDetector:
    """The MTCNN of a bundle.

    Raises:
        WeightsError: If it has none; with the command that adds it.
    """
    if missing := [role for role in MTCNN_ROLES if role not in bundle.networks]:
        raise WeightsError(
            f"{bundle.path}: no {missing[0]!r} in this bundle, so faces cannot be found; add "
            f"pixel2style2pixel's files by `python -m convert_weights {bundle.path} pnet.npy "
            "rnet.npy onet.npy -o OUT.safetensors`, or give the face's `points`"
        )
    return FaceDetector(bundle)


def mirror_face(face: Face, width: int) -> Face:
    """A face of a mirrored picture, `width` pixels wide, as it is in the picture itself."""
    x1, y1, x2, y2 = face.box
    points = face.points[[1, 0, 2, 4, 3]] * [-1, 1] + [width - 1, 0]
    return Face(np.array([width - 1 - x2, y1, width - 1 - x1, y2]), points, face.certainty)


def scale_face(face: Face, factors: np.ndarray) -> Face:
    """A face of a picture that is `factors` [2] as wide and high."""
    first, last = face.box[:2] * factors, (face.box[2:] + 1) * factors - 1
    points = (face.points + 0.5) * factors - 0.5
    return Face(np.concatenate([first, last]), points, face.certainty)


def agreed_faces(seen: list[Face], mirrored: list[Face]) -> list[Face]:
    """Faces that are seen in a picture and in its mirror image: the means of both.

    Args:
        seen: In the picture.
        mirrored: In its mirror image, mirrored back.

    Returns:
        Their certainty is the lower of both.
    """
    if not mirrored:
        return []
    boxes, found = np.stack([face.box for face in mirrored]), []
    areas = box_sizes(boxes).prod(axis=1)
    for face in seen:
        area = box_sizes(face.box[None]).prod()
        overlaps = over_union(shared_areas(face.box, boxes), area, areas)
        other = mirrored[int(overlaps.argmax())]
        certainty = min(face.certainty, other.certainty)
        if overlaps.max() >= AGREEMENT and certainty >= CERTAINTY:
            box, points = (face.box + other.box) / 2, (face.points + other.points) / 2
            found.append(Face(box, points, certainty))
    return found


def find_faces(
    detector: FaceDetector, photo: np.ndarray, name: object = "the photograph"
) -> list[Face]:
    """Finds the faces of a photograph.

    Args:
        detector: Finds faces of 20 pixels and more.
        photo: uint8 [H, W, 3]; shrunk to `DETECTION_SIDE` if it is larger.
        name: Where it comes from, for the message.

    Returns:
        Faces in pixels of the photograph, the largest first; at least one.

    Raises:
        ImageError: If there is no face.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, DETECTION_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))
    mirrored = detector.detect(np.ascontiguousarray(picture[:, ::-1]))
    faces = agreed_faces(
        detector.detect(picture), [mirror_face(face, size[0]) for face in mirrored]
    )
    if not faces:
        counted = f"after a larger photograph is shrunk to {DETECTION_SIDE}"
        raise no_face(name, f"{counted}; crop it, or give its `points`")
    found = [scale_face(face, np.array([width, height]) / size) for face in faces]
    return sorted(found, key=lambda face: -box_sizes(face.box[None]).prod())
