"""Finds faces, and five points on each, by the three networks of MTCNN.

P-Net reads every 12x12 window of a pyramid of smaller pictures; R-Net reads what P-Net proposes as
24x24, O-Net what R-Net keeps as 48x48. Each corrects the boxes, and of boxes that lie on each other
the most certain stays.

Boxes are float64 [K, 4], x1, y1, x2, y2, with both corner pixels inside: a width is x2 - x1 + 1.

Source: MTCNN (arXiv:1604.02878), section 2.1; thresholds, order and rounding as
pixel2style2pixel models/mtcnn/mtcnn_pytorch/src/detector.py has them.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import numpy as np
import scipy.special
from PIL import Image

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ImageError
from sfe_jax.core.types import Array
from sfe_jax.pipelines.bundle import Bundle, Network

MTCNN_ROLES = ("mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet")
"""Networks that find faces, in the order in which they do."""

MIN_FACE = 20
"""Pixels a side of the smallest face that is looked for."""

WINDOW, STRIDE = 12, 2
"""Pixels a side of P-Net's windows, and between two of them."""

PYRAMID_FACTOR = 0.707
"""Size of each picture of the pyramid over that of the one before."""

CERTAINTIES = (0.15, 0.25, 0.35)
"""What a box needs to pass P-, R- and O-Net. They are low because of P-Net's odd probabilities, see
`window_certainties`."""

SCALE_OVERLAP, OVERLAP = 0.5, 0.7
"""Overlap from which one of two boxes goes: within a picture of the pyramid, and later."""

CANVAS_STEP = 128
"""Pixels a side of which the canvas of a pyramid is a multiple: few programs serve all pictures."""


Program = Callable[..., Mapping[str, Array]]
"""A network with its weights, compiled."""


@dataclass(frozen=True)
class Face:
    """A face in a picture, in its pixels."""

    box: np.ndarray  # [4]: x1, y1, x2, y2.
    points: np.ndarray  # [5, 2]: x, y of eyes, nose and corners of the mouth, left before right.
    certainty: float  # In [0, 1].


@dataclass(frozen=True)
class Candidates:
    """Boxes that may hold a face."""

    boxes: np.ndarray  # [K, 4].
    certainties: np.ndarray  # [K], in [0, 1].
    offsets: np.ndarray  # [K, 4], what the boxes are short of, in their widths and heights.

    def pick(self, index: np.ndarray) -> "Candidates":
        """Those that `index`, of numbers or truths, chooses."""
        return Candidates(self.boxes[index], self.certainties[index], self.offsets[index])


# Boxes.


def box_sizes(boxes: np.ndarray) -> np.ndarray:
    """Widths and heights [K, 2] of boxes [K, 4]."""
    return boxes[:, 2:] - boxes[:, :2] + 1


def correct(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Boxes [K, 4] moved by offsets [K, 4] in their own widths and heights."""
    return boxes + offsets * np.tile(box_sizes(boxes), 2)


def make_square(boxes: np.ndarray) -> np.ndarray:
    """Boxes [K, 4] about the same centres, as wide and high as the longer side, in whole pixels."""
    sizes = box_sizes(boxes)
    side = np.maximum(sizes.max(axis=1, keepdims=True), 1)
    corner = boxes[:, :2] + sizes * 0.5 - side * 0.5
    return np.rint(np.concatenate([corner, corner + side - 1], axis=1))


def shared_areas(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Pixels [K] that boxes [K, 4] share with one, [4]."""
    first, last = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    return np.maximum(last - first + 1, 0).prod(axis=1)


def over_union(shared: np.ndarray, area: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Shared area over that of both boxes together."""
    return shared / (area + areas - shared)


def over_smaller(shared: np.ndarray, area: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Shared area over that of the smaller box: 1 where one lies inside the other."""
    return shared / np.minimum(area, areas)


def suppress(
    boxes: np.ndarray,
    certainties: np.ndarray,
    *,
    limit: float,
    overlap: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] = over_union,
) -> np.ndarray:
    """Of boxes that lie on each other keeps the most certain: non-maximum suppression.

    Args:
        boxes: [K, 4].
        certainties: [K].
        limit: Overlap above which the less certain box goes.
        overlap: Share of two boxes, from the area they share and their own.

    Returns:
        Numbers of the boxes that stay, the most certain first.
    """
    areas = box_sizes(boxes).prod(axis=1)
    left, kept = np.argsort(-certainties, kind="stable"), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        shared = shared_areas(boxes[best], boxes[left])
        left = left[overlap(shared, areas[best], areas[left]) <= limit]
    return np.array(kept, int)


# Pictures.


def pyramid_scales(height: int, width: int) -> list[float]:
    """Scales at which faces of `MIN_FACE` pixels and more fill a window of P-Net."""
    scales, scale = [], WINDOW / MIN_FACE
    while min(height, width) * scale > WINDOW:
        scales.append(scale)
        scale *= PYRAMID_FACTOR
    return scales


def normalise_levels(images: np.ndarray) -> np.ndarray:
    """Levels, uint8 [...], in the range that the networks read: float32 in [-1, 1]."""
    return (images.astype(np.float32) - np.float32(127.5)) / np.float32(128)


def cut_boxes(image: Image.Image, boxes: np.ndarray, size: int) -> np.ndarray:
    """What boxes of whole pixels hold, black outside the picture.

    Args:
        image: The picture.
        boxes: [K, 4].
        size: Pixels a side of a crop; Pillow's antialiased bilinear filter resizes.

    Returns:
        uint8 [K, size, size, 3].
    """
    crops = [
        image.crop((x1, y1, x2 + 1, y2 + 1)).resize((size, size), Image.Resampling.BILINEAR)
        for x1, y1, x2, y2 in boxes.astype(int).tolist()
    ]
    return np.stack([np.asarray(crop) for crop in crops])


def window_certainties(logits: np.ndarray) -> np.ndarray:
    """Certainties of P-Net's windows: [h, w, 2] to [h, w].

    They are shared among the windows of a row, not between face and no face, so that the row's sum
    is 1. The original does so, and its low thresholds go with it; proper probabilities with these
    thresholds pass ten times as many windows, and faces that are none.
    """
    return scipy.special.softmax(logits[:, :, 1], axis=1)


def propose_at(scale: float, logits: np.ndarray, offsets: np.ndarray) -> Candidates:
    """Windows of one picture of the pyramid that may hold a face.

    Args:
        scale: Of that picture.
        logits: [h, w, 2], of its windows.
        offsets: [h, w, 4].

    Returns:
        Boxes in pixels of the whole picture, not yet corrected.
    """
    certainties = window_certainties(logits)
    rows, columns = np.nonzero(certainties > CERTAINTIES[0])
    corners = STRIDE * np.stack([columns, rows], axis=1) + 1
    boxes = np.rint(np.concatenate([corners, corners + WINDOW], axis=1) / scale)
    candidates = Candidates(
        boxes, certainties[rows, columns], offsets[rows, columns].astype(np.float64)
    )
    return candidates.pick(suppress(boxes, candidates.certainties, limit=SCALE_OVERLAP))


@dataclass(frozen=True)
class Pyramid:
    """A picture at several scales, one below the other, so that P-Net runs once."""

    canvas: np.ndarray  # uint8 [H, W, 3].
    inside: np.ndarray  # bool [H - 2, W - 2, 1]; see `PNet`.
    pieces: tuple[tuple[float, int, int, int], ...]  # Scale, top, height and width of each.


def build_pyramid(picture: Image.Image) -> Pyramid:
    """Makes a picture of over `MIN_FACE` pixels a side smaller in steps.

    Pillow's antialiased bilinear filter resizes, always the picture itself.
    """
    pieces, top = [], 0
    for scale in pyramid_scales(picture.height, picture.width):
        width, height = (math.ceil(side * scale) for side in picture.size)
        pieces.append((scale, top, height, width))
        top += height + height % 2  # P-Net's pool starts at even rows.
    rows, columns = (-(-size // CANVAS_STEP) * CANVAS_STEP for size in (top, pieces[0][3]))
    canvas = np.zeros((rows, columns, 3), np.uint8)
    inside = np.zeros((rows - 2, columns - 2, 1), bool)
    for _, top, height, width in pieces:
        smaller = picture.resize((width, height), Image.Resampling.BILINEAR)
        canvas[top : top + height, :width] = np.asarray(smaller)
        inside[top : top + height - 2, : width - 2] = True
    return Pyramid(canvas, inside, tuple(pieces))


# The cascade.


def no_face(name: object, rest: str) -> ImageError:
    """The error that a picture has no face; `rest` says how its size counts and what to do."""
    return ImageError(
        f"{name}: no face is found; required is an upright face of at least {MIN_FACE} pixels, "
        f"{rest}"
    )


class FaceDetector:
    """MTCNN with its weights."""

    def __init__(self, bundle: Bundle) -> None:
        """Takes the networks `MTCNN_ROLES` of a bundle.

        Raises:
            WeightsError: If the bundle lacks one.
        """
        networks = [bundle.network(role) for role in MTCNN_ROLES]
        self._propose, self._refine, self._output = (_program(network) for network in networks)

    def detect(self, image: np.ndarray) -> list[Face]:
        """Finds the faces of a picture.

        Args:
            image: uint8 [H, W, 3].

        Returns:
            Faces, the most certain first; none where there is none.

        Raises:
            ShapeError: If the picture has another shape.
        """
        check_shape("image", image.shape, (None, None, 3))
        if min(image.shape[:2]) <= MIN_FACE:
            return []
        picture = Image.fromarray(image)
        boxes = self._proposals(picture)
        if len(boxes):
            boxes = self._refined(picture, boxes)
        return self._outputs(picture, boxes) if len(boxes) else []

    def detect_main(self, image: np.ndarray, name: object) -> Face:
        """Finds the face of a portrait: the most certain one.

        Args:
            image: uint8 [H, W, 3].
            name: Where the picture comes from, for the message.

        Raises:
            ImageError: If there is no face.
            ShapeError: If the picture has another shape.
        """
        faces = self.detect(image)
        if not faces:
            raise no_face(name, "use another picture or crop it nearer to the face")
        return faces[0]

    def _proposals(self, picture: Image.Image) -> np.ndarray:
        """Square boxes [K, 4] that P-Net proposes at all scales."""
        pyramid = build_pyramid(picture)
        reading = self._propose(normalise_levels(pyramid.canvas)[None], pyramid.inside[None])
        logits, offsets = (np.asarray(reading[name])[0] for name in ("logits", "offsets"))
        found = []
        for scale, top, height, width in pyramid.pieces:
            rows, columns = (-(-(side - 2) // STRIDE) - 4 for side in (height, width))
            windows = slice(top // STRIDE, top // STRIDE + rows), slice(columns)
            found.append(propose_at(scale, logits[windows], offsets[windows]))
        merged = Candidates(
            np.concatenate([x.boxes for x in found]),
            np.concatenate([x.certainties for x in found]),
            np.concatenate([x.offsets for x in found]),
        )
        return _settle(merged)

    def _refined(self, picture: Image.Image, boxes: np.ndarray) -> np.ndarray:
        """Square boxes [K, 4] that R-Net keeps."""
        reading = _in_batch(self._refine, cut_boxes(picture, boxes, 24))
        return _settle(_passing(boxes, reading, CERTAINTIES[1])[0])

    def _outputs(self, picture: Image.Image, boxes: np.ndarray) -> list[Face]:
        """Faces that O-Net sees. Its points are relative to the boxes that it reads."""
        reading = _in_batch(self._output, cut_boxes(picture, boxes, 48))
        candidates, passes = _passing(boxes, reading, CERTAINTIES[2])
        shares = reading["points"][passes].reshape(-1, 2, 5).swapaxes(1, 2)  # [K, 5, 2]
        sizes = box_sizes(candidates.boxes)
        points = candidates.boxes[:, None, :2] + sizes[:, None] * shares
        found = correct(candidates.boxes, candidates.offsets)
        certainties = candidates.certainties
        kept = suppress(found, certainties, limit=OVERLAP, overlap=over_smaller)
        return [Face(found[i], points[i], float(certainties[i])) for i in kept]


def _program(network: Network) -> Program:
    """A network as a function of its inputs, compiled once per shape."""
    return functools.partial(jax.jit(network.module.apply), network.variables)


def _in_batch(program: Program, crops: np.ndarray) -> dict[str, np.ndarray]:
    """Reads crops [K, S, S, 3] in a batch whose size is a power of two: few programs serve all."""
    empty = (1 << (len(crops) - 1).bit_length()) - len(crops)
    padded = np.pad(normalise_levels(crops), ((0, empty), (0, 0), (0, 0), (0, 0)))
    reading = program(padded)
    return {name: np.asarray(x, np.float64)[: len(crops)] for name, x in reading.items()}


def _passing(
    boxes: np.ndarray, reading: dict[str, np.ndarray], certainty: float
) -> tuple[Candidates, np.ndarray]:
    """The boxes of which a network is certain enough, and which they are."""
    certainties = scipy.special.softmax(reading["logits"], axis=1)[:, 1]
    passes = certainties > certainty
    return Candidates(boxes, certainties, reading["offsets"]).pick(passes), passes


def _settle(candidates: Candidates) -> np.ndarray:
    """Square boxes [K, 4] of the candidates that stay, corrected."""
    kept = suppress(candidates.boxes, candidates.certainties, limit=OVERLAP)
    settled = candidates.pick(kept)
    return make_square(correct(settled.boxes, settled.offsets))
