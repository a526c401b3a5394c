"""CurricularFace IR-101, the identity metric of pSp, e4e and SFE, and the crop that it reads.

Five points of the face are laid on fixed places by rotating, scaling and shifting the picture.

Source: CurricularFace (arXiv:2004.00288); pixel2style2pixel criteria and scripts/calc_id_loss;
InsightFace's crop of 112x112.
"""

import flax.linen as nn
import numpy as np
import scipy.ndimage

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.nn.irse import DEPTHS, WIDTHS, IRBody
from sfe_jax.perceptual.embedding_head import embed_map

CROP_SIZE = 112
"""Pixels a side of a crop."""

REFERENCE_POINTS = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""Where a crop has its eyes, nose and corners of the mouth: x, y; left before right."""


def fit_similarity(points: np.ndarray, reference: np.ndarray = REFERENCE_POINTS) -> np.ndarray:
    """The rotation, scaling and shift, or a mirrored one if it is nearer, between two figures.

    In complex numbers p = a r + b, or p = a conj(r) + b mirrored. As in the original, a and b are
    the best for the distances in the picture, and the choice is by those in the reference.

    Args:
        points: [K, 2], x and y in the picture.
        reference: [K, 2], where they should come to lie.

    Returns:
        float64 [2, 3], from (x, y, 1) of the reference to (x, y) of the picture.

    Raises:
        ShapeError: If the shapes differ.

    Source: Matlab's cp2tform(..., "similarity"), which InsightFace ports.
    """
    check_shape("points", points.shape, (len(reference), 2))
    p, r = (np.asarray(x, np.float64) @ [1, 1j] for x in (points, reference))
    fits = []
    for x in (r, np.conj(r)):
        terms = np.stack([x, np.ones(len(x))], axis=1)
        (a, b), *_ = np.linalg.lstsq(terms, p)
        fits.append((np.linalg.norm(terms @ [a, b] - p) / abs(a), a, b))
    (plain, *_), (mirrored, *_) = fits
    sign = 1 if plain <= mirrored else -1
    _, a, b = fits[0 if sign == 1 else 1]
    return np.array([[a.real, -sign * a.imag, b.real], [a.imag, sign * a.real, b.imag]])


def crop_face(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face with `points` as CurricularFace wants it.

    Samples bilinearly; outside the picture is black. OpenCV, which the original uses, rounds places
    to 1/32 of a pixel, this does not.

    Args:
        image: uint8 [H, W, 3].
        points: [5, 2], x and y of eyes, nose and corners of the mouth, as `REFERENCE_POINTS`.

    Returns:
        uint8 [112, 112, 3].

    Raises:
        ShapeError: If the points have another shape.
    """
    y, x = np.mgrid[:CROP_SIZE, :CROP_SIZE]
    places = fit_similarity(points) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    channels = [
        scipy.ndimage.map_coordinates(
            channel.astype(np.float64), places[::-1], order=1, mode="grid-constant"
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    crop = np.stack(channels, axis=-1).reshape(CROP_SIZE, CROP_SIZE, -1)
    return np.rint(crop).astype(np.uint8)


class CurricularFace(nn.Module):
    """Embeds cropped faces on the unit sphere, where identity is the angle."""

    features: int = 512  # Size of the embedding.
    depths: tuple[int, ...] = DEPTHS[100]  # Units per stage.
    widths: tuple[int, ...] = WIDTHS  # Channels per stage.

    @nn.compact
    def __call__(self, images: Array) -> Array:
        """Embeds faces.

        Args:
            images: [N, 112, 112, 3] in [-1, 1], from `crop_face`.

        Returns:
            [N, features], of unit length; see `identity_similarity`.

        Raises:
            ShapeError: If the pictures have another size.
        """
        check_shape("images", images.shape, (None, CROP_SIZE, CROP_SIZE, 3))
        body = IRBody(self.depths, self.widths, squeeze_excitation=False, name="body")
        return embed_map(body(images)["coarse"], self.features, affine=False)
