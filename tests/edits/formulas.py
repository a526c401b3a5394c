"""The rules of the published edits as their specifications write them, one sample at a time."""

import numpy as np


def interfacegan(ws: np.ndarray, vector: np.ndarray, strength: float) -> np.ndarray:
    """[L, W]: half a unit of the vector [1, W] on every row."""
    return ws + strength / 2 * vector


def boundary(ws: np.ndarray, flat: np.ndarray, strength: float) -> np.ndarray:
    """[L, W]: the flattened codes move along [1, L * W]."""
    return (ws.reshape(1, -1) + strength * flat).reshape(ws.shape)


def ganspace(
    ws: np.ndarray,
    mean: np.ndarray,
    component: np.ndarray,
    std: float,
    rows: range,
    strength: float,
) -> np.ndarray:
    """[L, W]: the coordinate of row 0 becomes `strength`; only `rows` move."""
    coordinate = np.dot(ws[0] - mean, component) / std
    edited = ws.copy()
    for row in rows:
        edited[row] += (strength - coordinate) * component * std
    return edited


def stylespace(style: np.ndarray, channel: int, strength: float) -> np.ndarray:
    """[C]: three per unit of strength on one channel."""
    edited = style.copy()
    edited[channel] += 3 * strength
    return edited
