"""Style mixing: codes that take some rows of W+ from others.

Codes are NumPy arrays here and beside: few are combined at a time, and nothing needs compiling.

Source: StyleGAN (arXiv:1812.04948), section 3.1; stylegan2-ada-pytorch style_mixing.py.
"""

import numpy as np

from sfe_jax.core.checks import check_shape


def mix(bases: np.ndarray, donors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Codes of which each row goes from the base to the donor: base + weight (donor - base).

    Args:
        bases: [..., L, W].
        donors: [..., L, W], of a shape that broadcasts with `bases`.
        weights: [L]: 0 keeps the base's row, 1 takes the donor's, 0.5 is half-way; any number
            will do.

    Returns:
        [..., L, W]. Where a weight is 0 or 1 the row is exactly that of base or donor.

    Raises:
        ShapeError: If there is not one weight per row.
    """
    check_shape("weights", weights.shape, bases.shape[-2:-1])
    share = weights[:, None]
    return np.where(share == 1, donors, bases + share * (donors - bases))


def cross(bases: np.ndarray, donors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Every base with every donor: [B, L, W] and [D, L, W] -> [B, D, L, W]; see `mix`."""
    return mix(bases[:, None], donors[None], weights)


def row_by_row(base: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """One code with a single row of another, for every row and every other.

    Args:
        base: [L, W].
        donors: [D, L, W].

    Returns:
        [D, L, L, W]: element [d, i] is `base` but for row i, which is that of donor d.
    """
    rows = np.eye(len(base), dtype=bool)[None, :, :, None]
    return np.where(rows, donors[:, None], base)


def change_maps(base: np.ndarray, table: np.ndarray) -> np.ndarray:
    """How far pictures of single rows are from their base, in the mean over donors and colours.

    Args:
        base: uint8 [H, W, 3].
        table: uint8 [D, L, H, W, 3], of D donors and L rows, as `row_by_row` mixes their codes.

    Returns:
        float32 [L, H, W], in levels of 255.
    """
    return np.abs(table.astype(np.float32) - base.astype(np.float32)).mean(axis=(0, 4))
