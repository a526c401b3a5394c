"""Losses that ask whether a picture, or a feature, is the one that it should be.

The perceptual loss is the mean of `perceptual.lpips.Lpips`.

Source: pSp (arXiv:2008.00951), section 3.2; SFE (arXiv:2406.10601), section 3.2.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array
from sfe_jax.perceptual.arcface import FACE_COLUMNS, FACE_ROWS, identity_similarity
from sfe_jax.perceptual.lpips import normalise_channels


def l2_loss(images: Array, target: Array) -> Array:
    """Mean squared error over all numbers.

    Args:
        images: Of any shape.
        target: Of the same shape.

    Returns:
        [].

    Raises:
        ShapeError: If the shapes differ.

    Source: pixel2style2pixel training/coach.py.
    """
    check_shape("target", target.shape, images.shape)
    return jnp.mean(jnp.square(images - target))


def feature_loss(fused: Array, own: Array) -> Array:
    """Keeps the Inverter's feature near the one that the generator makes of its codes.

    The slope flows into both: through `own` it also holds the codes.

    Args:
        fused: [N, H, W, C], what the fuser gives.
        own: [N, H, W, C], what the generator computes from the codes.

    Returns:
        [], the mean squared error.

    Raises:
        ShapeError: If the shapes differ.

    Source: StyleFeatureEditor training/losses.py, feat_rec.
    """
    return l2_loss(fused, own)


def identity_loss(embeddings: Array, target: Array) -> Array:
    """Mean of 1 - cosine: is it the same person?

    Args:
        embeddings: [N, C] of unit length, from ArcFace or MoCo, of the pictures.
        target: [N, C] of unit length, of what they should show; it gets no slope.

    Returns:
        [], 0 = the same.

    Raises:
        ShapeError: If the shapes differ.

    Source: pixel2style2pixel criteria/id_loss.py and criteria/moco_loss.py.
    """
    check_shape("target", target.shape, embeddings.shape)
    return jnp.mean(1 - identity_similarity(embeddings, jax.lax.stop_gradient(target)))


def perceptual_distance(maps: Sequence[Array], target: Sequence[Array]) -> Array:
    """LPIPS without learned weights, for any network that gives maps.

        sum_l mean_hw sum_c (u_lc - v_lc)^2, with channels scaled to length 1 at each position

    Args:
        maps: Of the pictures, each [N, H, W, C] of its own size.
        target: Of what they should look like, as many.

    Returns:
        [N], 0 for equal maps.

    Raises:
        ShapeError: If two maps differ in shape.

    Source: LPIPS (arXiv:1801.03924), section 3.2; PerceptualSimilarity lpips/lpips.py, lpips=False.
    """
    distances = []
    for index, (x, y) in enumerate(zip(maps, target, strict=True)):
        check_shape(f"target[{index}]", y.shape, x.shape)
        difference = normalise_channels(x) - normalise_channels(y)
        distances.append(jnp.mean(jnp.sum(jnp.square(difference), axis=-1), axis=(1, 2)))
    return sum(distances[1:], start=distances[0])


def crop_face(images: Array) -> Array:
    """The face of aligned pictures, to weigh it more than hair and background.

    Args:
        images: [N, 256, 256, C].

    Returns:
        [N, 188, 188, C], rows 35 to 222 and columns 32 to 219.

    Raises:
        ShapeError: If the pictures are of another size.

    Source: pixel2style2pixel training/coach.py, l2_lambda_crop and lpips_lambda_crop.
    """
    check_shape("images", images.shape, (None, 256, 256, None))
    return images[:, FACE_ROWS, FACE_COLUMNS]
