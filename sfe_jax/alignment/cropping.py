"""Cuts a face out of a photograph as FFHQ's pictures were cut.

The photograph is shrunk where it is much finer than the result, cropped to what is near the face,
continued beyond its borders by its blurred mirror image where the square leaves it, and sampled.

Source: ffhq-dataset, download_ffhq.py (recreate_aligned_images). Its copies in pixel2style2pixel
and StyleFeatureEditor sample at the size of the result, as this does; FFHQ itself at 4096.
"""

from typing import NamedTuple

import numpy as np
import scipy.ndimage
from PIL import Image

from sfe_jax.alignment.placement import Placement
from sfe_jax.alignment.quads import quad_of_points, quad_side
from sfe_jax.core.errors import ImageError
from sfe_jax.core.images import check_levels

MAX_SIDES = 4
"""How many times the photograph's longer side the square may measure; beyond, points are wrong."""

BLOCKS = 8
"""Blocks a standard deviation of a wide blur measures: the more, the nearer to the Gaussian."""


class AlignedFace(NamedTuple):
    """A face as FFHQ shows it."""

    image: np.ndarray  # uint8 [S, S, 3].
    placement: Placement  # Where it lies in the photograph.


class _Frame(NamedTuple):
    """A part of a photograph in which a face is cut out."""

    picture: Image.Image
    quad: np.ndarray  # [4, 2], in pixels of the picture.
    origin: np.ndarray  # [2]: a place in the picture plus this, times `scale`, is one in the photo.
    scale: np.ndarray  # [2].


def _border(frame: _Frame) -> int:
    """Pixels around the square that are kept."""
    return max(round(0.1 * quad_side(frame.quad)), 3)


def _bounds(quad: np.ndarray) -> np.ndarray:
    """Whole pixels about a quad: [2, 2], the first corner and the last."""
    return np.stack([np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))]).astype(int)


def _shrink(frame: _Frame, *, size: int) -> _Frame:
    """Makes the picture smaller where the square has over four times `size` pixels a side."""
    factor = int(quad_side(frame.quad) / size * 0.5)
    if factor <= 1:
        return frame
    before = np.array(frame.picture.size)
    after = np.maximum(np.rint(before / factor).astype(int), 1)
    picture = frame.picture.resize((int(after[0]), int(after[1])), Image.Resampling.LANCZOS)
    return _Frame(picture, frame.quad / factor, frame.origin, before / after)


def _crop(frame: _Frame) -> _Frame:
    """Leaves of the picture the square and its border."""
    border, sides = _border(frame), np.array(frame.picture.size)
    first, last = _bounds(frame.quad)
    first, last = np.maximum(first - border, 0), np.minimum(last + border, sides)
    left, top, right, bottom = (*first.tolist(), *last.tolist())
    picture = frame.picture.crop((left, top, right, bottom))
    return frame._replace(picture=picture, quad=frame.quad - first, origin=frame.origin + first)


def _outsideness(height: int, width: int, padding: np.ndarray) -> np.ndarray:
    """How far pixels lie in the padding: 1 at the outer border, 0 at the photograph's, less within.

    Args:
        height: Of the padded picture.
        width: Of the padded picture.
        padding: [2, 2]: left and top, right and bottom.

    Returns:
        float32 [height, width].
    """
    (left, top), (right, bottom) = padding
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    columns = 1 - np.minimum(x / np.float32(left), x[::-1] / np.float32(right))
    rows = 1 - np.minimum(y / np.float32(top), y[::-1] / np.float32(bottom))
    return np.maximum(columns[None], rows[:, None])


def blur(plane: np.ndarray, sigma: float) -> np.ndarray:
    """A channel under a Gaussian.

    From 16 pixels on it acts on means of blocks, an eighth of it a side, and what it gives is
    enlarged, which differs by about a level at most. The original's filter takes most of a minute
    for a large photograph.

    Args:
        plane: float32 [h, w].
        sigma: Standard deviation in pixels.

    Returns:
        float32 [h, w].
    """
    block = max(1, int(sigma / BLOCKS))
    if block == 1:
        return scipy.ndimage.gaussian_filter(plane, sigma)
    height, width = plane.shape
    small = np.asarray(Image.fromarray(plane).reduce(block))
    # Means of blocks add 1/12 to the variance, linear enlargement 1/6, both less for few pixels.
    variance = (sigma / block) ** 2 - (1 - block**-2) / 4
    small = Image.fromarray(scipy.ndimage.gaussian_filter(small, np.sqrt(variance)))
    box = (0, 0, width / block, height / block)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR, box=box))


def _fade(plane: np.ndarray, *, blurred: np.ndarray, plain: np.ndarray, sigma: float) -> np.ndarray:
    """A padded channel in which something is blurred, and more of it one colour.

    Args:
        plane: float32 [h, w].
        blurred: float32 [h, w], in [0, 1]: how much.
        plain: float32 [h, w], in [0, 1]: how much.
        sigma: Of the blur, in pixels.

    Returns:
        uint8 [h, w].
    """
    faded = blur(plane, sigma) - plane
    faded *= blurred
    faded += plane
    faded += (np.median(faded) - faded) * plain
    return np.clip(np.rint(faded, out=faded), 0, 255, out=faded).astype(np.uint8)


def _pad(frame: _Frame) -> _Frame:
    """Continues the picture on all sides where the square leaves it.

    One channel at a time, in float32: some 25 bytes per pixel of the padded picture, without
    Pillow's own copies.
    """
    border, side, sides = _border(frame), quad_side(frame.quad), np.array(frame.picture.size)
    first, last = _bounds(frame.quad)
    padding = np.maximum(np.stack([border - first, last - sides + border]), 0)
    if padding.max() <= border - 4:
        return frame
    padding = np.maximum(padding, round(0.3 * side))
    (left, top), (right, bottom) = padding
    width, height = (sides + padding.sum(axis=0)).tolist()
    outsideness = _outsideness(height, width, padding)
    blurred = np.clip(3 * outsideness + 1, 0, 1)
    plain = np.clip(outsideness, 0, 1, out=outsideness)
    padded = np.empty((height, width, 3), np.uint8)
    for index, channel in enumerate(frame.picture.split()):
        plane = np.asarray(channel, np.float32)
        plane = np.pad(plane, ((top, bottom), (left, right)), mode="reflect")
        padded[:, :, index] = _fade(plane, blurred=blurred, plain=plain, sigma=0.02 * side)
    picture = Image.fromarray(padded)
    return frame._replace(
        picture=picture, quad=frame.quad + padding[0], origin=frame.origin - padding[0]
    )


def _placement(frame: _Frame, *, size: int) -> Placement:
    """Where the square that is sampled lies in the photograph."""
    top_left, bottom_left, _, top_right = (frame.quad + 0.5 + frame.origin) * frame.scale
    columns = [(top_right - top_left) / size, (bottom_left - top_left) / size, top_left]
    return Placement(np.stack(columns, axis=1), size)


def check_quad(photo: np.ndarray, quad: np.ndarray, *, name: object = "the photograph") -> None:
    """Raises unless a square can be cut out of a photograph.

    Args:
        photo: uint8 [H, W, 3].
        quad: [4, 2], as for `cut_quad`.
        name: Where the photograph comes from, for messages.

    Raises:
        ImageError: If the square's centre lies outside the photograph, or it is far too large.
        ShapeError: If the photograph has another shape.
    """
    check_levels("photo", photo, (None, None, 3))
    height, width = photo.shape[:2]
    x, y = quad.mean(axis=0)
    side, limit = quad_side(quad), MAX_SIDES * max(width, height)
    if not (0 <= x < width and 0 <= y < height and side <= limit):
        raise ImageError(
            f"{name}: is {width} x {height}, and the face would lie about ({x:.0f}, {y:.0f}), "
            f"{side:.0f} pixels a side; required are points in pixels of this picture"
        )


def cut_quad(
    photo: np.ndarray, quad: np.ndarray, *, size: int, name: object = "the photograph"
) -> AlignedFace:
    """Cuts a square out of a photograph.

    Args:
        photo: uint8 [H, W, 3].
        quad: [4, 2]: corners top left, bottom left, bottom right, top right of a square; parts may
            lie outside the photograph.
        size: Pixels a side of the result; Pillow's bilinear QUAD transform samples.
        name: Where the photograph comes from, for messages.

    Raises:
        ImageError: As `check_quad`.
        ShapeError: If the photograph has another shape.
    """
    check_quad(photo, quad, name=name)
    whole = _Frame(Image.fromarray(photo), quad, np.zeros(2), np.ones(2))
    frame = _pad(_crop(_shrink(whole, size=size)))
    corners = (frame.quad + 0.5).ravel().tolist()
    how = Image.Transform.QUAD, corners, Image.Resampling.BILINEAR
    image = frame.picture.transform((size, size), *how)
    return AlignedFace(np.array(image), _placement(frame, size=size))


def align_face(
    photo: np.ndarray, points: np.ndarray, *, size: int, name: object = "the photograph"
) -> AlignedFace:
    """Cuts the face with these landmarks out of a photograph.

    Args:
        photo: uint8 [H, W, 3].
        points: [5, 2] or [68, 2], as for `quad_of_points`.
        size: Pixels a side of the result.
        name: Where the photograph comes from, for messages.

    Raises:
        ImageError: As `quad_of_points` and `check_quad`.
        ShapeError: If the points or the photograph have another shape.
    """
    return cut_quad(photo, quad_of_points(points, name=name), size=size, name=name)
