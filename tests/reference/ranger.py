"""Ranger in float64, one array, written from its description."""

import numpy as np


def ranger(p, gradients, lr, weight_decay=0.0, b1=0.95, b2=0.999, eps=1e-5, k=6, alpha=0.5):
    """Parameters after each gradient; the last axis is the output channel."""
    m, v, slow, steps = np.zeros_like(p), np.zeros_like(p), p.copy(), []
    longest = 2 / (1 - b2) - 1
    for t, g in enumerate(gradients, start=1):
        if g.ndim > 1:
            g = g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        p = p - lr * weight_decay * p
        n = longest - 2 * t * b2**t / (1 - b2**t)
        if n > 5:
            r = (n - 4) / (longest - 4) * (n - 2) / n * longest / (longest - 2)
            p = p - lr * np.sqrt((1 - b2**t) * r) / (1 - b1**t) * m / (np.sqrt(v) + eps)
        else:
            p = p - lr * m / (1 - b1**t)
        if t % k == 0:
            p = slow = slow + alpha * (p - slow)
        steps.append(p)
    return np.stack(steps)
