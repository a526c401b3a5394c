"""Bilinear sampling of images at given places, as one gather of 2x2 windows.

A window gather has a window scatter-add as its derivative, and that again a window gather; hence
second derivatives with respect to the image (R1 through an augmentation) cost no more than these.
"""

import jax.numpy as jnp
from jax import lax

from sfe_jax.core.checks import check_shape
from sfe_jax.core.types import Array


def affine_grid(theta: Array, *, height: int, width: int) -> Array:
    """Places that an affine map assigns to the pixels of an image.

    Args:
        theta: [N, 2, 3], from output places (x, y, 1) to input places (x, y).
        height: Of the output.
        width: Of the output.

    Returns:
        [N, height, width, 2], (x, y) such that -1 and 1 are the outer borders of the first and the
        last pixel.

    Raises:
        ShapeError: If `theta` has another shape.

    Source: PyTorch, torch.nn.functional.affine_grid(align_corners=False).
    """
    check_shape("theta", theta.shape, (None, 2, 3))
    x = ((2 * jnp.arange(width, dtype=theta.dtype) + 1) / width - 1)[None, None, :, None]
    y = ((2 * jnp.arange(height, dtype=theta.dtype) + 1) / height - 1)[None, :, None, None]
    along_x, along_y, shift = (theta[:, None, None, :, i] for i in range(3))
    return along_x * x + along_y * y + shift


def sample_inside(x: Array, positions: Array) -> Array:
    """Bilinear interpolation between pixels, for positions inside the image.

    Args:
        x: [N, H, W, C], H and W at least 2.
        positions: [N, h, w, 2], (x, y) in pixels, 0 being the centre of the first: x in
            [0, W - 1], y in [0, H - 1]. Beyond, the outermost pixels are extrapolated.

    Returns:
        [N, h, w, C], dtype of `x`.

    Raises:
        ShapeError: If an array has another rank or the batches differ.
    """
    check_shape("x", x.shape, (None, None, None, None))
    check_shape("positions", positions.shape, (x.shape[0], None, None, 2))
    last = jnp.asarray([x.shape[2] - 2, x.shape[1] - 2])[None, None, None]
    corner = jnp.clip(jnp.floor(positions).astype(jnp.int32), 0, last)  # [N, h, w, 2]
    fraction = (positions - corner.astype(positions.dtype)).astype(x.dtype)
    windows = lax.gather(
        x,
        corner[..., ::-1],
        lax.GatherDimensionNumbers(
            offset_dims=(3, 4, 5),
            collapsed_slice_dims=(),
            start_index_map=(1, 2),
            operand_batching_dims=(0,),
            start_indices_batching_dims=(0,),
        ),
        slice_sizes=(1, 2, 2, x.shape[3]),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )  # [N, h, w, 2, 2, C]
    across, down = fraction[..., 0, None, None], fraction[..., 1, None]
    rows = windows[..., 0, :] * (1 - across) + windows[..., 1, :] * across
    return rows[..., 0, :] * (1 - down) + rows[..., 1, :] * down


def grid_sample(x: Array, grid: Array) -> Array:
    """Bilinear interpolation at relative places, zeros outside the image.

    Args:
        x: [N, H, W, C].
        grid: [N, h, w, 2], (x, y) such that -1 and 1 are the outer borders of the first and the
            last pixel.

    Returns:
        [N, h, w, C], dtype of `x`.

    Raises:
        ShapeError: If an array has another rank or the batches differ.

    Source: PyTorch, torch.nn.functional.grid_sample(mode="bilinear", padding_mode="zeros",
    align_corners=False).
    """
    check_shape("x", x.shape, (None, None, None, None))
    check_shape("grid", grid.shape, (x.shape[0], None, None, 2))
    size = jnp.asarray([x.shape[2], x.shape[1]], grid.dtype)[None, None, None]
    positions = ((grid + 1) * size - 1) / 2
    # One ring of zeros: what lies farther outside is moved onto it.
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sample_inside(padded, jnp.clip(positions, -1, size) + 1)
