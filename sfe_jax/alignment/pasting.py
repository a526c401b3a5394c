"""Puts an edited face back in its photograph.

What is added to the photograph is the difference between the edited and the cut-out face, with the
inversion's own errors, and not the edited picture: where both agree the photograph stays as it is,
detail finer than the aligned picture stays, and what was blurred near its borders cancels out.
Towards the border of the square the difference fades. StyleFeatureEditor pastes the picture itself
and hides the seam by 5000 steps of a Poisson solver on a GPU, which moves the colours of the whole
edit.
"""

import numpy as np
from PIL import Image

from sfe_jax.alignment.cropping import AlignedFace
from sfe_jax.alignment.placement import Placement, apply
from sfe_jax.core.easing import ease
from sfe_jax.core.images import check_levels

EROSION, FEATHER = 1 / 64, 1 / 8
"""Shares of a side: in the first, at the border, nothing is pasted; over the second it fades in."""

BAND = 256
"""Rows of the photograph that are computed together: memory is that of a band."""


def paste_weights(places: np.ndarray, *, size: int) -> np.ndarray:
    """How much of a change counts.

    Args:
        places: [..., 2], in an aligned picture, from pixel edges.
        size: Pixels a side of that picture.

    Returns:
        [...], in [0, 1]: 0 at the borders and outside, 1 where they are far.
    """
    depth = np.minimum(places, size - places) / size
    return ease(np.clip((depth - EROSION) / FEATHER, 0, 1)).prod(axis=-1)


def _planes(change: np.ndarray, *, side: int) -> list[Image.Image]:
    """The channels of a change, float32 [S, S, 3], averaged down to `side` where that is less."""
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(change, -1, 0)]
    if side >= len(change):
        return planes
    return [plane.resize((side, side), Image.Resampling.LANCZOS) for plane in planes]


def _bounding_box(placement: Placement, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what a placement covers of a photograph."""
    corners, sides = placement.corners, np.array([width, height])
    first = np.clip(np.floor(corners.min(axis=0)), 0, sides).astype(int)
    last = np.clip(np.ceil(corners.max(axis=0)), 0, sides).astype(int)
    return (*first.tolist(), *last.tolist())


def paste_face(photo: np.ndarray, face: AlignedFace, *, edited: np.ndarray) -> np.ndarray:
    """Puts an edited face back in its photograph.

    Where the photograph is coarser than the edit, the change is averaged by Lanczos's filter first;
    Pillow's bicubic AFFINE transform samples it.

    Args:
        photo: uint8 [H, W, 3], from which `face` was cut.
        face: As it was cut.
        edited: uint8 [S, S, 3], of the same size as the face.

    Returns:
        uint8 [H, W, 3]: `photo` itself outside the face and where `edited` is the face.

    Raises:
        ShapeError: If the edited picture is not of the face's shape.
        ImageError: If a picture is not uint8.
    """
    size = face.placement.size
    check_levels("photo", photo, (None, None, 3))
    check_levels("edited", edited, (size, size, 3))
    change = edited.astype(np.float32) - face.image
    planes = _planes(change, side=max(1, round(size * face.placement.scale)))
    matrix, zoom = face.placement.to_aligned, planes[0].width / size
    left, top, right, bottom = _bounding_box(face.placement, *photo.shape[:2])
    pasted = photo.copy()
    for first in range(top, bottom, BAND):
        last = min(first + BAND, bottom)
        x, y = np.meshgrid(np.arange(left, right) + 0.5, np.arange(first, last) + 0.5)
        weights = paste_weights(apply(matrix, np.stack([x, y], axis=-1)), size=size)
        own = np.concatenate([matrix[:, :2], apply(matrix, np.array([left, first]))[:, None]], 1)
        how = Image.Transform.AFFINE, (zoom * own).ravel().tolist(), Image.Resampling.BICUBIC
        added = [
            np.asarray(plane.transform((right - left, last - first), *how)) for plane in planes
        ]
        part = pasted[first:last, left:right]
        part[...] = np.clip(np.rint(part + weights[..., None] * np.stack(added, -1)), 0, 255)
    return pasted
