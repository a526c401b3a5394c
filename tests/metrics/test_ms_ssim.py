from functools import partial

import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.ms_ssim import (
    WEIGHTS,
    count_scales,
    gaussian_window,
    halve,
    ms_ssim,
    ms_ssim_of_batch,
    similarity_of_scales,
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


run_ssim = jit(partial(ssim, data_range=2.0))
run_ms_ssim = jit(partial(ms_ssim, data_range=2.0))


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


@pytest.mark.parametrize("run", [run_ssim, run_ms_ssim])
def test_equal_pictures_score_1(run):
    images = noise(2, 24, 24, 3)
    np.testing.assert_allclose(run(images, images), 1, atol=1e-5)


def test_similarity_of_flat_pictures_is_their_luminance_term():
    """Without contrast the structure is 1; black is -1, so means are 0.5 and 0.1."""
    x, y = (np.full((1, 16, 16, 1), value, np.float32) for value in (0.5, 0.1))
    c1 = (0.01 * 2) ** 2
    expected = (2 * 0.5 * 0.1 + c1) / (0.5**2 + 0.1**2 + c1)
    np.testing.assert_allclose(run_ssim(x, y), expected, rtol=1e-4)


def test_similarity_equals_the_plain_form():
    images, target = pair(19)
    expected = reference.ms_ssim(images, target, data_range=2, scales=1)  # 1.0001 apart.
    np.testing.assert_allclose(run_ssim(images, target), expected ** (1 / 1.0001), rtol=1e-4)


@pytest.mark.parametrize(("side", "scales"), [(33, 2), (43, 3)])
def test_several_scales_equal_the_plain_form_when_sides_are_odd(side, scales):
    images, target = pair(side)
    expected = reference.ms_ssim(images, target, data_range=2, scales=scales)
    np.testing.assert_allclose(run_ms_ssim(images, target), expected, rtol=1e-4)


def test_terms_below_zero_count_as_zero():
    images = noise(1, 24, 24, 1)
    assert run_ms_ssim(images, -images) == 0


def test_worse_pictures_score_less():
    scores = [float(run_ms_ssim(*pair(43, mixed=mixed))[0]) for mixed in (0.1, 0.5, 0.9)]
    assert scores == sorted(scores, reverse=True)


def test_scale_of_the_data_does_not_matter_with_its_range():
    images, target = pair(24)
    shifted = jit(partial(ms_ssim, data_range=200.0))(images * 100, target * 100)
    np.testing.assert_allclose(shifted, run_ms_ssim(images, target), rtol=1e-4)


@pytest.mark.parametrize("run", [run_ssim, run_ms_ssim])
def test_pictures_smaller_than_the_window_are_refused(run):
    with pytest.raises(ShapeError, match=r"10 x 12; required are 11 pixels"):
        run(noise(1, 10, 12, 3), noise(1, 10, 12, 3))


@pytest.mark.parametrize("run", [run_ssim, run_ms_ssim])
def test_pictures_of_different_shapes_are_refused(run):
    with pytest.raises(ShapeError, match="`target` has shape"):
        run(noise(2, 24, 24, 3), noise(1, 24, 24, 3))


def test_older_form_takes_means_before_the_product():
    images, target = noise(2, 161, 161, 1), noise(2, 161, 161, 1, seed=1)
    target = 0.5 * (images + target * np.asarray([0.2, 2], np.float32).reshape(2, 1, 1, 1))
    forms = (ms_ssim_of_batch, similarity_of_scales)
    run = jit(lambda *pair: [form(*pair, data_range=2.0) for form in forms])
    score, (similarity, structure) = run(images, target)
    means = np.append(np.mean(structure[:, :4], (0, 2)), np.mean(similarity[:, 4]))
    assert score == pytest.approx(np.prod(means ** np.asarray(WEIGHTS)), rel=1e-5)


def test_older_form_refuses_pictures_without_five_scales():
    with pytest.raises(ShapeError, match="160 x 170, which gives 4 scales"):
        ms_ssim_of_batch(noise(1, 160, 170, 1), noise(1, 160, 170, 1), data_range=2.0)
