"""FFHQ's alignment in plain NumPy: complex numbers and sums, no Pillow and no SciPy."""

import numpy as np


def quad(eyes, mouth):
    """[4, 2] of eyes [2, 2] and mouth corners [2, 2], by complex numbers."""
    left, right = (complex(*eye) for eye in eyes)
    middle = (left + right) / 2
    down = sum(complex(*corner) for corner in mouth) / 2 - middle
    x = (right - left) - 1j * down
    x *= max(2 * abs(right - left), 1.8 * abs(down)) / abs(x)
    centre = middle + 0.1 * down
    corners = [centre + (a + 1j * b) * x for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    return np.array([[corner.real, corner.imag] for corner in corners])


def sample(picture, corners, size):
    """Bilinear samples [size, size, C] of a quad [4, 2], truncated; the quad lies inside."""
    share = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(share, share)
    top_left, bottom_left, bottom_right, top_right = corners + 0.5
    place = top_left + u[..., None] * (top_right - top_left)
    place = place + v[..., None] * (bottom_left - top_left)
    place = place + (u * v)[..., None] * (bottom_right - bottom_left - top_right + top_left)
    x, y = np.moveaxis(place - 0.5, -1, 0)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    height, width = picture.shape[:2]
    total = 0.0
    for dx, wx in ((0, 1 - (x - left)), (1, x - left)):
        for dy, wy in ((0, 1 - (y - top)), (1, y - top)):
            rows, columns = np.clip(top + dy, 0, height - 1), np.clip(left + dx, 0, width - 1)
            total = total + picture[rows, columns] * (wx * wy)[..., None]
    return total.astype(np.uint8)


def mirrored(index, count):
    """Index within [0, count) of a place outside; the border pixel is not repeated."""
    index = abs(index) % (2 * count - 2)
    return min(index, 2 * count - 2 - index)


def blur_matrix(count, sigma):
    """[count, count]: Gaussian of 4 sigmas; beyond the ends the axis is mirrored at its border."""
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    matrix = np.zeros((count, count))
    for row in range(count):
        for step, weight in zip(range(-radius, radius + 1), weights / weights.sum(), strict=True):
            place = (row + step) % (2 * count)
            matrix[row, min(place, 2 * count - 1 - place)] += weight
    return matrix


def pad(picture, padding, side):
    """uint8 [H, W, C] padded by left, top, right, bottom: mirrored, blurred, fading to medians."""
    left, top, right, bottom = padding
    height, width = picture.shape[:2]
    rows = [mirrored(i, height) for i in range(-top, height + bottom)]
    columns = [mirrored(i, width) for i in range(-left, width + right)]
    x = picture[rows][:, columns].astype(np.float64)
    h, w = x.shape[:2]
    mask = np.empty((h, w, 1))
    for v in range(h):
        for u in range(w):
            across = 1 - min(u / left, (w - 1 - u) / right)
            mask[v, u] = max(across, 1 - min(v / top, (h - 1 - v) / bottom))
    blurred = np.einsum("ij,jwc->iwc", blur_matrix(h, 0.02 * side), x)
    blurred = np.einsum("ij,hjc->hic", blur_matrix(w, 0.02 * side), blurred)
    x = x + (blurred - x) * np.clip(3 * mask + 1, 0, 1)
    x = x + (np.median(x, axis=(0, 1)) - x) * np.clip(mask, 0, 1)
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)
