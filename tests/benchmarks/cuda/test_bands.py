import numpy as np
import pytest

from benchmarks.cuda.bands import STRIP, Axis, band
from tests.reference.upfirdn2d import _axis_matrix

CASES = {
    "plain": (9, 4, 1, 1, (2, 1)),
    "up_two": (7, 12, 2, 1, (8, 5)),
    "up_four": (5, 24, 4, 1, (11, 9)),
    "down_two": (19, 12, 1, 2, (3, 4)),
    "up_three_down_two": (11, 5, 3, 2, (4, 3)),
    "up_two_down_four": (13, 6, 2, 4, (3, 2)),
    "up_five_down_three": (9, 3, 5, 3, (2, 6)),
    "cropped": (15, 4, 2, 1, (-3, -2)),
    "all_outputs_between_samples": (6, 1, 4, 2, (3, 2)),
}


def matrix(axis, f, strip):
    """The matrix [outputs, inputs] that the strips of a band multiply by."""
    found = band(axis, taps=len(f), strip=strip)
    y = np.zeros((axis.size, axis.source))
    for o in range(axis.size):
        s, r = divmod(o, strip)
        taps = found.taps[s % found.den, :, r]
        start = s * found.num // found.den + found.offset
        for j, tap in enumerate(taps):
            if tap >= 0 and 0 <= start + j < axis.source:
                y[o, start + j] += f[tap]
    return y


def reference(axis, f, sides):
    flipped = f[::-1]  # The reference convolves.
    shares = _axis_matrix(axis.source, len(f), axis.up, axis.down, *sides)
    return sum(tap * share for tap, share in zip(flipped, shares, strict=True))


def case(name):
    length, taps, up, down, sides = CASES[name]
    size = (length * up + sum(sides) - taps) // down + 1
    return Axis(length, size, up, down, sides[0]), np.arange(1.0, taps + 1), sides


@pytest.mark.parametrize("strip", [1, STRIP])
@pytest.mark.parametrize("name", CASES)
def test_band_is_the_matrix_of_the_definition(name, strip):
    axis, f, sides = case(name)
    np.testing.assert_array_equal(matrix(axis, f, strip), reference(axis, f, sides))


@pytest.mark.parametrize("name", CASES)
def test_adjoint_axis_is_the_transposed_matrix(name):
    axis, f, _ = case(name)
    transposed = matrix(axis.adjoint(len(f)), f[::-1], STRIP)
    np.testing.assert_array_equal(transposed, matrix(axis, f, STRIP).T)
