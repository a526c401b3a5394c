"""PPL: how much pictures change along short steps between codes.

Source: StyleGAN (arXiv:1812.04948), section 4.1; stylegan2-ada-pytorch
metrics/perceptual_path_length.py.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array

EPSILON = 1e-4
"""Length of a step, as a share of the way; arXiv:1812.04948, section 4.1."""

SIZE = 256
"""Pixels a side at which whole pictures are compared; smaller ones stay as they are."""

ENOUGH = 5_000
"""Pairs; rosinality's version draws as many, published figures have 50,000."""


def lerp(start: Array, end: Array, t: Array) -> Array:
    """Linear interpolation, for W: [N, ...], [N, ...], t [N] -> [N, ...]."""
    t = jnp.expand_dims(t, tuple(range(1, start.ndim)))
    return start + (end - start) * t


def slerp(start: Array, end: Array, t: Array) -> Array:
    """Spherical interpolation, for Z: [N, Z], [N, Z], t [N] -> [N, Z] of unit length."""
    start, end = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (start, end))
    cosine = jnp.sum(start * end, axis=1, keepdims=True)
    across = end - cosine * start
    across = across / jnp.linalg.norm(across, axis=1, keepdims=True)
    angle = t[:, None] * jnp.arccos(jnp.clip(cosine, -1, 1))
    return start * jnp.cos(angle) + across * jnp.sin(angle)


def crop_face(images: Array) -> Array:
    """The middle of an aligned face: rows 3/8 to 7/8, columns 2/8 to 6/8 of [N, R, R, C]."""
    cell = images.shape[1] // 8
    return images[:, 3 * cell : 7 * cell, 2 * cell : 6 * cell]


def block_side(resolution: int) -> int:
    """Pixels a side of the blocks that are averaged in pictures of this side: 4 at 1024."""
    return max(1, resolution // SIZE)


def shrink(images: Array, *, factor: int) -> Array:
    """Means of blocks of `factor` x `factor` pixels of [N, H, W, C].

    Raises:
        ShapeError: If blocks do not divide a side.
    """
    n, height, width, channels = images.shape
    if height % factor or width % factor:
        raise ShapeError(
            f"pictures are {height} x {width}; required is a multiple of {factor}, whose blocks "
            "are averaged"
        )
    cells = images.reshape(n, height // factor, factor, width // factor, factor, channels)
    return jnp.mean(cells, axis=(2, 4))


def view_whole(images: Array) -> Array:
    """What is compared of pictures [N, R, R, C] by the later protocol, "ppl2": all, at 256 pixels.

    Raises:
        ShapeError: If R, from 512 on, is no multiple of R // 256.
    """
    return shrink(images, factor=block_side(images.shape[1]))


def view_face(images: Array) -> Array:
    """What is compared of aligned faces [N, R, R, C] by the first protocol: the middle, at 128.

    Raises:
        ShapeError: As `view_whole`.
    """
    return shrink(crop_face(images), factor=block_side(images.shape[1]))


def step_lengths(
    generate: Callable[[Array], Array],
    distance: Callable[[Array, Array], Array],
    *,
    interpolate: Callable[[Array, Array, Array], Array],
    start: Array,
    end: Array,
    t: Array,
) -> Array:
    """Perceptual change per squared length of a step, of each pair of codes.

        d(G(i(start, end, t)), G(i(start, end, t + e))) / e^2

    Args:
        generate: Codes [N, ...] to pictures. Pure: noise must be the same in both calls.
        distance: Of pictures, to [N]; LPIPS over VGG-16 of `view_whole` or `view_face`.
        interpolate: `lerp` in W, `slerp` in Z.
        start: [N, ...].
        end: [N, ...].
        t: [N] in [0, 1]: uniform draws for the "full" way, zeros for its "end".

    Returns:
        [N].

    Raises:
        ShapeError: If the codes differ in shape.
    """
    check_shape("end", end.shape, start.shape)
    check_shape("t", t.shape, start.shape[:1])
    first, second = (generate(interpolate(start, end, at)) for at in (t, t + EPSILON))
    return distance(first, second) / EPSILON**2


def perceptual_path_length(lengths: np.ndarray) -> float:
    """Mean of the lengths [N] from the 1st percentile to the 99th, both included.

    Raises:
        ShapeError: If there is none.
    """
    check_shape("lengths", lengths.shape, (None,))
    if not len(lengths):
        raise ShapeError("PPL is a mean over 0 pairs of codes; required is at least one")
    low = np.percentile(lengths, 1, method="lower")
    high = np.percentile(lengths, 99, method="higher")
    return float(np.mean(lengths[(low <= lengths) & (lengths <= high)], dtype=np.float64))
