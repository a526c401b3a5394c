"""How near an inversion is to its picture: L2 and identity.

Pictures are averaged to 256x256 on the device, where the reference's metric resizes them with
Pillow in 8 bits; identity is that of ArcFace, which the losses use, where the reference's metric
reads CurricularFace behind a face detector. These figures tell good inversions from bad ones; they
are not those of the paper's table.

Source: SFE (arXiv:2406.10601), section 4.1; StyleFeatureEditor metrics/metrics.py.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.images import to_float
from sfe_jax.core.trees import apply
from sfe_jax.core.types import Array, Variables
from sfe_jax.metrics.pairs import squared_error
from sfe_jax.ops.resize import adaptive_average_pool
from sfe_jax.perceptual.arcface import ArcFace, identity_similarity
from sfe_jax.pipelines.bundle import Bundle

SCORE_SIZE = 256
"""Pixels a side at which pictures are compared."""


@jax.jit
def _mean_squared_errors(first: Array, second: Array) -> Array:
    """Per picture, of [N, H, W, 3] in [-1, 1] averaged to 256x256."""
    size = min(SCORE_SIZE, first.shape[1])
    return squared_error(*(adaptive_average_pool(images, size) for images in (first, second)))


@partial(jax.jit, static_argnums=0)
def _identities(module: ArcFace, variables: Variables, first: Array, second: Array) -> Array:
    """Cosine similarities [N] of the faces in [N, H, W, 3] in [-1, 1]."""
    pictures = [adaptive_average_pool(images, SCORE_SIZE) for images in (first, second)]
    return identity_similarity(*(apply(module, variables, x) for x in pictures))


def score_pictures(
    bundle: Bundle, originals: np.ndarray, pictures: np.ndarray
) -> list[dict[str, float]]:
    """Scores of pictures against their originals.

    Args:
        bundle: Identity is scored if it holds ArcFace.
        originals: uint8 [N, R, R, 3].
        pictures: uint8 [N, R, R, 3].

    Returns:
        Per picture "l2", the mean squared error in [-1, 1] at 256x256, and "identity", the cosine
        of the ArcFace embeddings, 1 being the same person.
    """
    first, second = jnp.asarray(to_float(originals)), jnp.asarray(to_float(pictures))
    scores = [{"l2": float(value)} for value in _mean_squared_errors(first, second)]
    if "arcface" in bundle.networks:
        arcface = bundle.network("arcface")
        identities = _identities(arcface.module, arcface.variables, first, second)  # pyright: ignore
        for score, value in zip(scores, identities, strict=True):
            score["identity"] = float(value)
    return scores
