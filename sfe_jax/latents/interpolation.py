"""Paths between codes: straight, along great circles, and smooth through key frames.

Times go from 0 to 1 over the whole path. A path that loops returns from the last key frame to the
first and ends where the first begins, so that an animation of it can repeat without a seam.

Source: stylegan3 gen_video.py (cubic, looping); stylegan3-fun (spherical, eased).
"""

import numpy as np
from scipy.interpolate import CubicSpline

from sfe_jax.core.easing import ease
from sfe_jax.core.errors import ShapeError

NEARLY_PARALLEL = 0.9995
"""Cosine beyond which the great circle through two vectors is ill-conditioned, and straight."""


def linear(start: np.ndarray, end: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """The point at t in [0, 1] on the straight line: start + t (end - start)."""
    return start + t * (end - start)


def spherical(start: np.ndarray, end: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """The point at t in [0, 1] on the arc: (sin((1 - t) a) start + sin(t a) end) / sin(a).

    Args:
        start: [..., C]; vectors along the last axis.
        end: [..., C].
        t: A number, or an array that broadcasts with [..., 1].

    Returns:
        [..., C]. The angle a between the vectors is that of their directions; their lengths may
        differ. Where they are nearly parallel or opposite, the straight line.

    Source: Shoemake, Animating Rotation with Quaternion Curves (1985), section 3.3.
    """
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = np.sum(start * end, axis=-1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    straight = np.abs(cosine) > NEARLY_PARALLEL
    angle = np.arccos(np.where(straight, 0, cosine))[..., None]
    arc = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
    return np.where(straight[..., None], linear(start, end, t), arc)


def frame_times(legs: int, frames: int, *, loop: bool) -> np.ndarray:
    """Times [T] of an animation, in [0, 1].

    Args:
        legs: From key frame to key frame; with K key frames a loop has K of them, else K - 1.
        frames: Pictures of each leg.
        loop: Whether time 1 is left out, because it looks as time 0.

    Returns:
        T = legs * frames evenly spaced times; one more, time 1, if it does not loop.
    """
    count = legs * frames
    return np.arange(count if loop else count + 1) / count


def _legs(keys: np.ndarray, times: np.ndarray, *, loop: bool) -> tuple[np.ndarray, ...]:
    """Start and end [T, ...] of the leg of each time, and how far along it is, [T, 1, ...]."""
    count = len(keys)
    if not count:
        raise ShapeError("there are no key frames; required is at least 1")
    position = times * (count if loop else count - 1)
    first = np.floor(position).astype(int)
    second = (first + 1) % count if loop else np.minimum(first + 1, count - 1)
    share = (position - first).reshape(-1, *(1,) * (keys.ndim - 1))
    return keys[first % count], keys[second], share


def linear_path(keys: np.ndarray, times: np.ndarray, *, loop: bool) -> np.ndarray:
    """Straight lines from key frame to key frame, at even speed.

    Args:
        keys: [K, ...].
        times: [T] in [0, 1].
        loop: Whether the path returns to the first key frame.

    Returns:
        [T, ...].

    Raises:
        ShapeError: If there is no key frame.
    """
    return linear(*_legs(keys, times, loop=loop))


def eased_path(keys: np.ndarray, times: np.ndarray, *, loop: bool) -> np.ndarray:
    """As `linear_path`, resting at each key frame."""
    start, end, share = _legs(keys, times, loop=loop)
    return linear(start, end, ease(share))


def spherical_path(keys: np.ndarray, times: np.ndarray, *, loop: bool) -> np.ndarray:
    """As `linear_path`, along great circles of the last axis: what keeps z as long as draws are."""
    return spherical(*_legs(keys, times, loop=loop))


def smooth_path(keys: np.ndarray, times: np.ndarray, *, loop: bool) -> np.ndarray:
    """Cubic spline through the key frames, smooth at each; arguments as of `linear_path`.

    A loop is a periodic spline. The original repeats the key frames twice on either side and lets
    a spline that is not periodic run through all; in the middle the two differ by little.
    """
    if len(keys) < 2:
        return linear_path(keys, times, loop=loop)
    if loop:
        keys = np.concatenate([keys, keys[:1]])
    places = np.linspace(0, 1, len(keys))
    spline = CubicSpline(places, keys, bc_type="periodic" if loop else "not-a-knot")
    return spline(times)
