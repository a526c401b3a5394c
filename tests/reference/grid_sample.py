"""Bilinear sampling by its definition: every pixel weighs by its distance along x and y."""

import numpy as np


def affine_grid(theta, height, width):
    """theta [N, 2, 3]; returns [N, height, width, 2]; borders of the image are -1 and 1."""
    grid = np.zeros((len(theta), height, width, 2))
    for row in range(height):
        for column in range(width):
            place = ((column + 0.5) / width * 2 - 1, (row + 0.5) / height * 2 - 1, 1)
            grid[:, row, column] = theta @ np.array(place)
    return grid


def sample_zeros(x, positions):
    """x [N, H, W, C], positions [N, h, w, 2] in pixels; zeros outside."""
    weights = [
        np.maximum(0, 1 - np.abs(positions[..., axis, None] - np.arange(x.shape[2 - axis])))
        for axis in (0, 1)
    ]
    return np.einsum("nhwj,nhwi,nijc->nhwc", *weights, x)


def grid_sample(x, grid):
    """As PyTorch's grid_sample, bilinear, zeros, align_corners=False."""
    size = np.array([x.shape[2], x.shape[1]])
    return sample_zeros(x, ((grid + 1) * size - 1) / 2)
