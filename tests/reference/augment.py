"""Geometric stage of ADA with the original's padding, which depends on the batch."""

import numpy as np

from tests.reference.grid_sample import sample_zeros
from tests.reference.upfirdn2d import upfirdn2d


def margins(matrices, height, width, reach=3):
    """Padding (left, right, top, bottom) that the farthest corner of the batch needs."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = np.array([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]])
    mapped = np.einsum("nij,kj->nki", matrices, corners)[..., :2].reshape(-1, 2)
    lowest = -mapped.min(axis=0) + 2 * reach - (x, y)
    highest = mapped.max(axis=0) + 2 * reach - (x, y)
    sides = np.stack([lowest, highest], axis=1)
    return np.ceil(np.clip(sides, 0, np.array([[width - 1], [height - 1]]))).astype(int).ravel()


def transform_geometry(images, matrices, taps):
    """images [N, H, W, C], matrices [N, 3, 3] from output to input, in pixels about the centre."""
    n, height, width, _ = images.shape
    left, right, top, bottom = margins(matrices, height, width)
    x = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)), mode="reflect")
    row, column = np.asarray(taps)[None], np.asarray(taps)[:, None]
    x = upfirdn2d(x, row, up=(2, 1), padding=(6, 5, 0, 0), gain=2)
    x = upfirdn2d(x, column, up=(1, 2), padding=(0, 0, 6, 5), gain=2)

    positions = np.zeros((n, 2 * height + 12, 2 * width + 12, 2))
    for line in range(positions.shape[1]):
        for col in range(positions.shape[2]):
            # Offsets from the centre at the original resolution; the filter shifts by half a
            # sample at the doubled one.
            place = np.array([col + 1 - width - 6, line + 1 - height - 6, 2]) / 2
            mapped = (matrices @ place)[:, :2] * 2 - 0.5
            origin = np.array([width + 2 * left - 0.5, height + 2 * top - 0.5])
            positions[:, line, col] = mapped + origin
    y = sample_zeros(x, positions)
    y = upfirdn2d(y, row[:, ::-1], down=(2, 1), padding=(-1, -1, 0, 0))
    return upfirdn2d(y, column[::-1], down=(1, 2), padding=(0, 0, -1, -1))
