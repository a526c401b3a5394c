"""Pooling as PyTorch's networks have it."""

from typing import Any

import flax.linen as nn

from sfe_jax.core.types import Array


def max_pool_over(x: Array, window: int) -> Array:
    """Maxima of windows at every second pixel; a last window may stand over the border.

    Args:
        x: [N, H, W, C].
        window: Pixels a side of a window.

    Returns:
        [N, ceil((H - window) / 2) + 1, ceil((W - window) / 2) + 1, C].

    Source: PyTorch, torch.nn.MaxPool2d(window, 2, ceil_mode=True).
    """
    over: Any = [(0, (size - window) % 2) for size in x.shape[1:3]]  # Flax's annotation is narrow.
    return nn.max_pool(x, (window, window), strides=(2, 2), padding=over)
