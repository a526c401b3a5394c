import numpy as np
import pytest

from sfe_jax.metrics.shifting import shift_fraction, shift_whole, translation

IMAGES = np.random.default_rng(0).standard_normal((2, 12, 16, 3)).astype(np.float32)


def plain(image, shift, taps):
    """out[y, x] = sum h_y[b] h_x[c] image[y - b, x - c] over all offsets, zeros outside; with mask.

    `taps` gives the weights by offset for a shift along one axis.
    """
    height, width, _ = image.shape
    result, mask = np.zeros(image.shape), np.zeros(image.shape[:2])
    down, across = taps(shift[1]), taps(shift[0])
    for y in range(height):
        for x in range(width):
            places = [(y - b, x - c) for b in down for c in across]
            mask[y, x] = all(0 <= i < height and 0 <= j < width for i, j in places)
            for b, c in ((b, c) for b in down for c in across):
                if 0 <= y - b < height and 0 <= x - c < width:
                    result[y, x] += down[b] * across[c] * image[y - b, x - c]
    return result, mask


def lanczos(shift):
    whole = int(np.floor(shift))
    distance = np.arange(-2, 4) - (shift - whole)
    taps = np.sinc(distance) * np.sinc(distance / 3)
    return dict(zip(whole + np.arange(-2, 4), taps / taps.sum(), strict=True))


def test_translation_adds_to_x_and_y():
    assert (translation(np.array([3, 4])) @ [1, 1, 1]).tolist() == [4, 5, 1]


@pytest.mark.parametrize("shift", [(2, -3), (-1, 4), (0, 0)])
def test_whole_shift_is_the_plain_one_where_it_is_known(shift):
    shifted, mask = shift_whole(IMAGES, np.asarray(shift, np.int32))
    expected, known = plain(IMAGES[0], shift, lambda s: {s: 1.0})
    np.testing.assert_array_equal(mask[0, :, :, 0], known)
    np.testing.assert_allclose(shifted[0] * mask[0], expected * known[..., None], rtol=1e-6)


@pytest.mark.parametrize("shift", [(1.25, -2.5), (-0.75, 1.5), (-3.5, 0.125)])
def test_fractional_shift_is_the_plain_one_where_it_is_known(shift):
    shifted, mask = shift_fraction(IMAGES, np.asarray(shift, np.float32))
    expected, known = plain(IMAGES[0], shift, lanczos)
    np.testing.assert_array_equal(mask[0, :, :, 0] <= known, True)
    np.testing.assert_allclose(shifted[0] * mask[0], expected * mask[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shift", "columns"), [(1.25, (4, 15)), (-0.75, (2, 13)), (-3.5, (0, 10)), (4.5, (7, 16))]
)
def test_mask_of_a_fractional_shift_is_that_of_the_original(shift, columns):
    """max(i + 3, 0) .. W + min(i - 2, 0), i being the whole part."""
    _, mask = shift_fraction(IMAGES, np.asarray((shift, 0), np.float32))
    (known,) = np.nonzero(np.asarray(mask[0, 6, :, 0]))
    assert (known[0], known[-1] + 1) == columns


def test_shift_by_whole_pixels_leaves_values_alone_in_the_fractional_form():
    shifted, mask = shift_fraction(IMAGES, np.asarray((1, 2), np.float32))
    np.testing.assert_allclose(shifted * mask, np.roll(IMAGES, (2, 1), (1, 2)) * mask, atol=1e-6)
