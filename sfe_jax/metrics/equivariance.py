"""EQ-T, EQ-T_frac and EQ-R: do pictures move and turn with what they show?

Each is the peak signal-to-noise ratio between a picture that the generator moved and the same
picture moved afterwards, over the pixels that both know.

Source: StyleGAN3 (arXiv:2106.12423), section 2.2 and appendix E; stylegan3 metrics/equivariance.py.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np

from sfe_jax.core.checks import check_shape
from sfe_jax.core.errors import ShapeError
from sfe_jax.core.types import Array
from sfe_jax.metrics.shifting import shift_fraction, shift_whole, translation
from sfe_jax.metrics.turning import rotate, rotate_in_place, rotation

LARGEST_SHIFT = 0.125
"""Of a side; shifts are uniform in [-1/8, 1/8] along both axes."""

Generate = Callable[[np.ndarray], Array]
"""Transform float32 [3, 3] of a generator's input -> pictures [N, H, W, C] in [-1, 1]. Codes and
noise are the same in every call."""


@dataclass(frozen=True)
class MaskedError:
    """A sum of squares over the numbers of pictures that were compared."""

    squares: float
    count: float

    def merge(self, other: Self) -> Self:
        """Both sums together."""
        return type(self)(self.squares + other.squares, self.count + other.count)

    @property
    def decibels(self) -> float:
        """20 log10 2 - 10 log10 of the mean square; infinite if nothing differs.

        Raises:
            ShapeError: If no number was compared.
        """
        if not self.count:
            raise ShapeError("0 pixels were compared; required are pictures that overlap")
        if not self.squares:
            return math.inf
        return 20 * math.log10(2) - 10 * math.log10(self.squares / self.count)


@jax.jit
def _row_sums(images: Array, target: Array, mask: Array) -> tuple[Array, Array]:
    mask = jnp.broadcast_to(mask, images.shape)
    sums = [jnp.sum(x, axis=(2, 3)) for x in (jnp.square(images - target) * mask, mask)]
    return sums[0], sums[1]


def masked_error(images: Array, target: Array, mask: Array) -> MaskedError:
    """Squared error where the mask is 1.

    Rows are summed on the device, the rest in float64.

    Args:
        images: [N, H, W, C] in [-1, 1].
        target: Of the same shape.
        mask: [N or 1, H, W, 1], 0 or 1.

    Raises:
        ShapeError: If the shapes differ.
    """
    check_shape("target", target.shape, images.shape)
    check_shape("mask", mask.shape, (None, *images.shape[1:3], 1))
    sums = _row_sums(images, target, mask)
    squares, count = (float(np.sum(np.asarray(x, np.float64))) for x in sums)
    return MaskedError(squares, count)


def whole_shift_error(generate: Generate, original: Array, shift: np.ndarray) -> MaskedError:
    """EQ-T: shifts by whole pixels, without interpolation.

    Args:
        generate: The generator at fixed codes.
        original: What it gives untransformed.
        shift: [2], (x, y) in sides of a picture; rounded to whole pixels.
    """
    pixels = np.rint(shift * original.shape[2:0:-1]).astype(np.int32)
    moved = generate(translation(-pixels / original.shape[2:0:-1]))
    return masked_error(moved, *shift_whole(original, pixels))


def fractional_shift_error(generate: Generate, original: Array, shift: np.ndarray) -> MaskedError:
    """EQ-T_frac: shifts by fractions of a pixel, interpolated by a Lanczos window.

    Args:
        generate: The generator at fixed codes.
        original: What it gives untransformed.
        shift: [2], (x, y) in sides of a picture.
    """
    moved = generate(translation(-shift))
    return masked_error(moved, *shift_fraction(original, shift * original.shape[2:0:-1]))


def rotation_error(generate: Generate, original: Array, angle: float) -> MaskedError:
    """EQ-R: turns about the middle, compared in the band that both pictures can hold.

    Args:
        generate: The generator at fixed codes.
        original: What it gives untransformed.
        angle: In radians, uniform in [-pi, pi].
    """
    turned, inside = rotate(original, angle)
    generated, known = rotate_in_place(generate(rotation(-angle)), angle)
    return masked_error(generated, turned, inside * known)
