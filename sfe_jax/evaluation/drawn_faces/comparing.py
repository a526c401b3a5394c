"""How far pictures are from what they should show, face by face, and means with their errors."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from sfe_jax.core.types import Array
from sfe_jax.losses.reconstruction import perceptual_distance
from sfe_jax.metrics.ms_ssim import ms_ssim
from sfe_jax.metrics.pairs import squared_error
from sfe_jax.perceptual.arcface import identity_similarity
from sfe_jax.perceptual.face_features import FaceReading


class Comparison(NamedTuple):
    """Pictures against their targets; each [N]."""

    l2: Any  # Mean squared error in [-1, 1].
    ms_ssim: Any  # 1 = equal.
    feature_distance: Any  # Of the maps of a network of faces, as LPIPS without learned weights.
    identity: Any  # Cosine of that network's embeddings, 1 = the same person.


def compare(
    images: Array, target: Array, reading: FaceReading, target_reading: FaceReading
) -> Comparison:
    """Compares pictures with what they should show.

    Args:
        images: [N, R, R, 3] in [-1, 1].
        target: Of the same shape.
        reading: What the network reads from `images`.
        target_reading: What it reads from `target`.

    Raises:
        ShapeError: If the shapes differ, or the pictures are too small for MS-SSIM.
    """
    return Comparison(
        l2=squared_error(images, target),
        ms_ssim=ms_ssim(images, target),
        feature_distance=perceptual_distance(reading["maps"], target_reading["maps"]),
        identity=identity_similarity(reading["embedding"], target_reading["embedding"]),
    )


@dataclass(frozen=True)
class Figure:
    """A mean over pictures."""

    mean: float
    error: float  # Standard error of the mean; 0 of a single picture.


def figure(values: np.ndarray) -> Figure:
    """The mean of values [N] and its standard error."""
    values = np.asarray(values, np.float64)
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return Figure(float(values.mean()), float(spread / np.sqrt(len(values))))


def take_rows(tree: Any, rows: np.ndarray) -> Any:
    """The rows [K] of every array [N, ...] of a pytree."""
    return jax.tree.map(lambda x: x[rows], tree)
