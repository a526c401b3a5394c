"""Cuts a region out of a picture and enlarges it. Boxes are left, top, right, bottom in pixels."""

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]


def box_of_shares(shares: Box, *, width: int, height: int) -> Box:
    """A box in shares of a picture's sides, in [0, 1], as pixels."""
    left, top, right, bottom = shares
    return (left * width, top * height, right * width, bottom * height)


def square_about(box: Box, *, margin: float, width: int, height: int) -> Box:
    """The square about a box, with a margin, inside a picture.

    Args:
        box: Such as a face's.
        margin: Added on each side, in shares of the longer side of the box.
        width: Of the picture, in pixels.
        height: Of the picture.

    Returns:
        A square about the box's middle; where it would leave the picture it is moved, and where it
        is larger than the picture it is as large as fits.
    """
    left, top, right, bottom = box
    side = min(max(right - left, bottom - top) * (1 + 2 * margin), width, height)
    x = min(max((left + right - side) / 2, 0), width - side)
    y = min(max((top + bottom - side) / 2, 0), height - side)
    return (x, y, min(x + side, width), min(y + side, height))


def cut(image: np.ndarray, box: Box, *, side: int, filter_name: str) -> np.ndarray:
    """A region of a picture as a square picture.

    Args:
        image: uint8 [H, W, 3].
        box: Of the region, inside the picture; its edges may lie between pixels.
        side: Pixels a side of the result; what is not square is stretched.
        filter_name: One of Pillow's, such as "lanczos"; smaller results are antialiased.

    Returns:
        uint8 [side, side, 3].
    """
    chosen = Image.Resampling[filter_name.upper()]
    return np.asarray(Image.fromarray(image).resize((side, side), chosen, box=box))
