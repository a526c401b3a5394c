import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.ms_ssim import (
    count_scales,
    gaussian_window,
    halve,
    ms_ssim,
    ssim,
)
from tests.compiling import jit
from tests.reference import ssim as reference


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def pair(side, *, mixed=0.5):
    """Pictures that resemble each other, [2, side, side + 3, 3]."""
    images, other = (noise(2, side, side + 3, 3, seed=seed) for seed in (0, 1))
    return images, (1 - mixed) * images + mixed * other


def plain_form(images, target, *, scales):
    """As the papers have it: of 8-bit levels, black being 0."""
    images, target = (127.5 * (x.astype(np.float64) + 1) for x in (images, target))
    return reference.ms_ssim(images, target, data_range=255, scales=scales)


run_ssim = jit(ssim)
run_ms_ssim = jit(ms_ssim)


def test_window_is_the_gaussian_of_the_paper():
    np.testing.assert_allclose(np.outer(*[gaussian_window()] * 2), reference.window(), rtol=1e-5)


@pytest.mark.parametrize(
    ("side", "count"), [(10, 0), (11, 1), (20, 1), (21, 2), (64, 3), (160, 4), (161, 5), (9999, 5)]
)
def test_scales_fit_while_a_window_does(side, count):
    assert count_scales(side) == count


def test_odd_sides_repeat_their_first_row_and_column():
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    expected = [[0, 1.5], [4.5, 6]]
    np.testing.assert_allclose(halve(x)[0, :, :, 0], expected)


def test_even_side_beside_an_odd_one_repeats_its_first_too():
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    expected = [[0, 1.5], [6, 7.5]]
    np.testing.assert_allclose(halve(x)[0, :, :, 0], expected)


@pytest.mark.parametrize("run", [run_ssim, run_ms_ssim])
def test_equal_pictures_score_1(run):
    images = noise(2, 24, 24, 3)
    np.testing.assert_allclose(run(images, images), 1, atol=1e-5)


def test_similarity_of_flat_pictures_is_their_luminance_term():
    """Without contrast the structure is 1; 0.5 and 0.1 lie at 0.75 and 0.55 of black to white."""
    x, y = (np.full((1, 16, 16, 1), value, np.float32) for value in (0.5, 0.1))
    c1 = 0.01**2
    expected = (2 * 0.75 * 0.55 + c1) / (0.75**2 + 0.55**2 + c1)
    np.testing.assert_allclose(run_ssim(x, y), expected, rtol=1e-4)


def test_similarity_equals_the_plain_form():
    images, target = pair(19)
    expected = plain_form(images, target, scales=1)  # 1.0001 apart.
    np.testing.assert_allclose(run_ssim(images, target), expected ** (1 / 1.0001), rtol=1e-4)


@pytest.mark.parametrize(("side", "scales"), [(33, 2), (43, 3)])
def test_several_scales_equal_the_plain_form_when_sides_are_odd(side, scales):
    images, target = pair(side)
    expected = plain_form(images, target, scales=scales)
    np.testing.assert_allclose(run_ms_ssim(images, target), expected, rtol=1e-4)


def test_terms_below_zero_count_as_zero():
    images = noise(1, 24, 24, 1)
    assert run_ms_ssim(images, -images) == 0


def test_worse_pictures_score_less():
    scores = [float(run_ms_ssim(*pair(43, mixed=mixed))[0]) for mixed in (0.1, 0.5, 0.9)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("run", [run_ssim, run_ms_ssim])
def test_pictures_smaller_than_the_window_are_refused(run):
    with pytest.raises(ShapeError, match=r"10 x 12; required are 11 pixels"):
        run(noise(1, 10, 12, 3), noise(1, 10, 12, 3))


@pytest.mark.parametrize("run", [run_ssim, run_ms_ssim])
def test_pictures_of_different_shapes_are_refused(run):
    with pytest.raises(ShapeError, match="`target` has shape"):
        run(noise(2, 24, 24, 3), noise(1, 24, 24, 3))
