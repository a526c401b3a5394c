"""Sheets: what is drawn where, pixel by pixel."""

import subprocess
import sys

import numpy as np
import pytest

from sfe_jax.core.errors import ImageError, ShapeError
from sfe_jax.core.sheets import enlarge, fit, grid, stack_strips, strip


def picture(height, width):
    """Random levels."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("shape", "size"), [((64, 64), 128), ((50, 64), 128), ((7, 64), 128)])
def test_a_smaller_picture_is_fitted_pixel_by_pixel(shape, size):
    image = picture(*shape)
    fitted = fit(image, side=150)
    assert max(fitted.shape) == size
    np.testing.assert_array_equal(fitted[1::2, ::2], image)


def test_a_larger_picture_is_shrunk_to_the_side():
    image = np.full((300, 100, 3), 77, np.uint8)
    np.testing.assert_array_equal(fit(image, side=150), np.full((150, 50, 3), 77))


@pytest.mark.parametrize(("side", "times"), [(64, 3), (100, 1), (1024, 1)])
def test_small_pictures_are_enlarged_pixel_by_pixel(side, times):
    image = picture(side, side)
    large = enlarge(image)
    assert large.shape == (times * side, times * side, 3)
    np.testing.assert_array_equal(large[times - 1 :: times, ::times], image)


def test_shorter_strips_are_filled_up_with_white():
    short, long = picture(2, 3), picture(4, 5)
    stacked = stack_strips([short, long])
    np.testing.assert_array_equal(stacked[:2, :3], short)
    np.testing.assert_array_equal(stacked[2:], long)
    assert (stacked[:2, 3:] == 255).all()


@pytest.mark.parametrize(("size", "gap"), [(64, 2), (512, 4)])
def test_strip_separates_pictures_by_white(size, gap):
    black = np.zeros((size, size, 3), np.uint8)
    row = strip([black, black])[0, :, 0]
    assert row.tolist() == [0] * size + [255] * gap + [0] * size


def test_strip_takes_an_array():
    assert strip(np.zeros((3, 64, 64, 3), np.uint8)).shape == (64, 3 * 64 + 2 * 2, 3)


def test_strip_puts_captions_above():
    labelled = strip([picture(64, 64)] * 2, ["before", "after"])
    np.testing.assert_array_equal(labelled[-64:], strip([picture(64, 64)] * 2))


@pytest.mark.parametrize("size", [16, 64, 256, 1024])
@pytest.mark.parametrize(
    "label", ["smile", "gylp|Åj", "a label of many words that wraps", "w" * 40]
)
def test_strip_cuts_no_caption(size, label):
    captioned = strip([np.zeros((size, size, 3), np.uint8)], [label])
    caption = captioned[: -size - 2]
    border = np.concatenate([caption[0], caption[-1], caption[:, 0], caption[:, -1]])
    assert border.min() == 255


def test_a_caption_of_short_words_does_not_widen_its_column():
    images = [np.zeros((128, 128, 3), np.uint8)]
    widths = {strip(images, ["row 1: " + "ab " * count]).shape[1] for count in range(1, 12)}
    assert widths == {128}


def test_strip_draws_dark_captions():
    assert strip([np.full((64, 64, 3), 255, np.uint8)], ["smile"]).min() < 64


def test_strip_raises_when_sizes_differ():
    with pytest.raises(ShapeError, match=r"\(65, 64, 3\); required is \(64, 64, 3\)"):
        strip([picture(64, 64), picture(65, 64)])


def test_strip_raises_when_labels_are_too_few():
    with pytest.raises(ShapeError, match="there are 1 labels; required are 2"):
        strip([picture(64, 64)] * 2, ["one"])


def test_strip_raises_without_pictures():
    with pytest.raises(ShapeError, match="at least 1"):
        strip([])


def test_strip_raises_when_pictures_are_not_uint8():
    with pytest.raises(ImageError, match="required is uint8"):
        strip([picture(64, 64) / 255])


def test_grid_puts_rows_below_each_other():
    first, second = picture(64, 64), 255 - picture(64, 64)
    table = grid([[first, second], [second, first]])
    np.testing.assert_array_equal(table[-64:], strip([second, first]))


def test_grid_puts_row_labels_on_the_left():
    rows = [[picture(64, 64)] * 2] * 2
    table = grid(rows, row_labels=["first", "second"])
    np.testing.assert_array_equal(table[:, -130:], grid(rows))


def test_grid_leaves_the_corner_white_with_both_labels():
    black = np.zeros((64, 64, 3), np.uint8)
    table = grid([[black]], column_labels=["column"], row_labels=["row"])
    assert table[: -64 - 2, : -64 - 2].min() == 255


def test_grid_raises_when_rows_differ_in_length():
    with pytest.raises(ShapeError, match=r"rows hold \[2, 1\] pictures"):
        grid([[picture(64, 64)] * 2, [picture(64, 64)]])


def test_sheets_imports_without_jax():
    program = "import sys, sfe_jax.core.sheets; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
