"""Minibatch standard deviation: shows the discriminator how varied a batch is."""

import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array

EPSILON = 1e-8
"""Added to the variance, so that the root has a slope where all samples are equal."""


def minibatch_std(x: Array, *, group_size: int | None = 4, num_channels: int = 1) -> Array:
    """Appends channels that hold the mean standard deviation within a group of samples.

    Sample i belongs to group i mod (N / G): groups are strided, not contiguous. The channels of `x`
    are cut into F contiguous chunks; each gives one constant map.

    Args:
        x: [N, H, W, C].
        group_size: Samples per group; G is this or N, whichever is smaller. None = N.
        num_channels: F, appended channels, at least 1.

    Returns:
        [N, H, W, C + F], dtype of `x`.

    Raises:
        ShapeError: If N is not divisible by G, or C not by F.

    Source: ProGAN (arXiv:1710.10196), section 3; stylegan2-ada-pytorch, training/networks.py
        (MinibatchStdLayer).
    """
    check_shape("x", x.shape, (None, None, None, None))
    n, height, width, channels = x.shape
    size = n if group_size is None else min(group_size, n)
    if n % size:
        raise ShapeError(f"`x` has {n} samples; required is a multiple of the group size {size}")
    if channels % num_channels:
        raise ShapeError(f"`x` has {channels} channels; required is a multiple of {num_channels}")

    grouped = x.reshape(size, n // size, height, width, num_channels, channels // num_channels)
    deviation = jnp.sqrt(jnp.var(grouped, axis=0) + EPSILON)  # [N / G, H, W, F, C / F]
    statistic = jnp.mean(deviation, axis=(1, 2, 4))  # [N / G, F]
    maps = jnp.tile(statistic, (size, 1))[:, None, None, :]
    return jnp.concatenate([x, jnp.broadcast_to(maps, (n, height, width, num_channels))], axis=3)
