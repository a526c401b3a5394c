"""StyleCLIP's mapper by levels in float64; `state` is the state dict of an official file."""

import numpy as np

ROWS = {"course": slice(0, 4), "medium": slice(4, 8), "fine": slice(8, None)}


def dense(x, weight, bias):
    """Equalised, with a learning rate of 0.01; then leaky ReLU of slope 0.2 and gain sqrt(2)."""
    y = x @ (weight * 0.01 / np.sqrt(weight.shape[1])).T + 0.01 * bias
    return np.sqrt(2) * np.maximum(y, 0.2 * y)


def levels_mapper(ws, state):
    """[N, L, W]: what is added to codes [N, L, W] per unit of strength."""
    shift = np.zeros(ws.shape)
    for level, rows in ROWS.items():
        if f"mapper.{level}_mapping.mapping.1.weight" not in state:
            continue
        x = ws[:, rows].astype(np.float64)
        x = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
        for number in (1, 2, 3, 4):
            name = f"mapper.{level}_mapping.mapping.{number}"
            weight, bias = (state[f"{name}.{part}"] for part in ("weight", "bias"))
            x = dense(x, weight.astype(np.float64), bias.astype(np.float64))
        shift[:, rows] = x
    return shift
