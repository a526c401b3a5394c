"""Photographs to align, and points in them."""

import numpy as np

POINTS = np.array([[0.375, 0.475], [0.625, 0.475], [0.5, 0.6], [0.4, 0.725], [0.6, 0.725]])
"""Of a face whose square is (0, 0) to (1, 1), counted from pixel edges."""


def points_in(corner, *, side, angle=0.0):
    """Points of a face, by pixel centres, whose square has its top left corner there.

    Args:
        corner: x, y, from pixel edges.
        side: In pixels.
        angle: By which it is turned, in radians.
    """
    cos, sin = side * np.cos(angle), side * np.sin(angle)
    return POINTS @ np.array([[cos, -sin], [sin, cos]]).T + np.array(corner) - 0.5


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


SLOPES = np.array([0.83, 0.91])
"""Levels per pixel; such that rounding falls on all sides."""


def slopes(height, width):
    """A picture whose red grows along x and green along y, linearly; blue is constant."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    levels = slopes_at(np.stack([x, y], axis=-1))
    return np.rint(np.dstack([levels, np.full_like(x, 90)])).astype(np.uint8)


def slopes_at(places):
    """What `slopes` has at places [..., 2], from pixel edges: float64 [..., 2], red and green."""
    return 10 + SLOPES * places
