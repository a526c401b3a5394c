"""The square of a photograph in which FFHQ would show a face, from landmarks of the face.

Source: ffhq-dataset, download_ffhq.py (recreate_aligned_images).
"""

import numpy as np

from sfe_jax.core.errors import ImageError, ShapeError

LEFT_EYE, RIGHT_EYE, MOUTH_CORNERS = slice(36, 42), slice(42, 48), (48, 54)
"""Where the 68 points of iBUG's scheme, which dlib gives, have them."""

SMALLEST_SIDE = 4.0
"""Pixels a side of the square below which points are taken to lie on each other."""

FARTHEST = 1e6
"""Pixels from the first that no photograph has."""


def turn(direction: np.ndarray) -> np.ndarray:
    """A direction [2] after a quarter turn, clockwise as one sees it: right becomes down."""
    return np.array([-direction[1], direction[0]])


def quad_of_features(
    eyes: np.ndarray, mouth: np.ndarray, *, name: object = "the face"
) -> np.ndarray:
    """The square about eyes and mouth.

        x ~ (r - l) - turn(m - e),   |x| = max(2 |r - l|, 1.8 |m - e|),   centre = e + 0.1 (m - e)

    with the eyes l and r, the middle e between them, and m of the mouth; x is half a side.

    Args:
        eyes: [2, 2], centres of both, left before right as one sees the upright face.
        mouth: [2, 2], its corners.
        name: Whose they are, for messages.

    Returns:
        float64 [4, 2]: corners top left, bottom left, bottom right, top right, as the face stands.

    Raises:
        ImageError: If the points lie on each other, or show a mirrored face.
    """
    middle = eyes.mean(axis=0)
    across, down = eyes[1] - eyes[0], mouth.mean(axis=0) - middle
    seen = f"eyes {eyes.round(1).tolist()} and the mouth {mouth.round(1).tolist()}"
    # Sides exchanged, or x and y, mirror a face; no turn of it does.
    if across @ -turn(down) < 0:
        raise ImageError(
            f"{name}: points of the {seen} are those of a mirrored face, its mouth above the eyes; "
            "required is left before right as one sees the upright face, and x before y"
        )
    x = across - turn(down)
    length = max(2 * np.linalg.norm(across), 1.8 * np.linalg.norm(down))
    if 2 * min(length, np.linalg.norm(x)) < SMALLEST_SIDE:
        raise ImageError(
            f"{name}: points of the {seen} lie on each other; required are centres of two eyes and "
            "two corners of a mouth, in pixels"
        )
    x = x / np.linalg.norm(x) * length
    y, centre = turn(x), middle + 0.1 * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def quad_of_points(points: np.ndarray, *, name: object = "the face") -> np.ndarray:
    """The square in which FFHQ would show the face that has these landmarks.

    The original takes 68 points. Of five, as MTCNN gives them, only the eyes and the mouth count.

    Args:
        points: [68, 2], in iBUG's order; or [5, 2]: eyes, nose and corners of the mouth, left
            before right as one sees the upright face.
        name: Whose they are, for messages.

    Returns:
        float64 [4, 2], as of `quad_of_features`.

    Raises:
        ShapeError: If there are not 5 or 68 points.
        ImageError: If one is in no photograph, they lie on each other, or show a mirrored face.
    """
    points = np.asarray(points, np.float64)
    if points.shape not in ((5, 2), (68, 2)):
        raise ShapeError(
            f"{name}: `points` has shape {points.shape}; required is (5, 2) or (68, 2), "
            "x and y of each"
        )
    if not (np.abs(points) < FARTHEST).all():
        raise ImageError(
            f"{name}: `points` holds numbers that are not finite, or of {FARTHEST:.0f} and more; "
            "required are pixels"
        )
    if len(points) == 5:
        return quad_of_features(points[:2], points[3:], name=name)
    eyes = np.stack([points[LEFT_EYE].mean(axis=0), points[RIGHT_EYE].mean(axis=0)])
    return quad_of_features(eyes, points[list(MOUTH_CORNERS)], name=name)


def quad_side(quad: np.ndarray) -> float:
    """Pixels a side of a square [4, 2]."""
    return float(np.linalg.norm(quad[3] - quad[0]))
