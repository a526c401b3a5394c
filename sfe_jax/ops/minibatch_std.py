"""Minibatch standard deviation: shows the discriminator how varied a batch is."""

from functools import partial, reduce

import jax.numpy as jnp

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.platforms import by_platform
from sfe_jax.core.precision import wide_on_cpu
from sfe_jax.core.types import Array

EPSILON = 1e-8
"""Added to the variance, so that the root has a slope where all samples are equal."""


def _variance_by_member(x: Array, axis: int) -> Array:
    """`jnp.var` along an axis of few numbers, as sums of its slices: loops over pixels alone."""
    members = list(jnp.moveaxis(x, axis, 0))
    mean = reduce(jnp.add, members) / len(members)
    squares = [jnp.square(part - mean) for part in members]
    return reduce(jnp.add, squares) / len(members)


def _mean_deviation(grouped: Array, *, axis: int) -> Array:
    """Mean standard deviation over the members of a group along `axis`, [N / G, F]."""
    by_member = partial(_variance_by_member, axis=axis)
    # On CPU 0.24 ms against 1.6 for 32 samples of 4x4x512, the gradient 0.54 against 3.5.
    variance = by_platform(grouped, cpu=by_member, default=partial(jnp.var, axis=axis))
    deviation = jnp.sqrt(variance + EPSILON)  # [N / G, H, W, F, C / F]
    return jnp.mean(deviation, axis=(1, 2, 4))


def minibatch_std(
    x: Array, *, group_size: int | None = 4, num_channels: int = 1, neighbours: bool = False
) -> Array:
    """Appends channels that hold the mean standard deviation within a group of samples.

    Sample i belongs to group i mod (N / G), as in the original, or to group i // G if groups are
    of neighbours. The channels of `x` are cut into F contiguous chunks; each gives one constant
    map.

    Args:
        x: [N, H, W, C].
        group_size: Samples per group; G is this or N, whichever is smaller. None = N.
        num_channels: F, appended channels, at least 1.
        neighbours: Whether groups are of neighbours. A batch that is sharded in multiples of G is
            then compared within each device; strided groups would send activations across.

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

    groups = (n // size, size) if neighbours else (size, n // size)
    grouped = x.reshape(*groups, height, width, num_channels, channels // num_channels)
    axis = 1 if neighbours else 0
    statistic = wide_on_cpu(partial(_mean_deviation, axis=axis))(grouped)
    spread = jnp.repeat(statistic, size, axis=0) if neighbours else jnp.tile(statistic, (size, 1))
    maps = spread[:, None, None, :]
    return jnp.concatenate([x, jnp.broadcast_to(maps, (n, height, width, num_channels))], axis=3)
