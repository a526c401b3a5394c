import numpy as np
import pytest

from sfe_jax.augment.wavelets import SYM2, SYM6, filter_bank, lowpass_filter
from tests.golden.reader import load_case


def test_sym2_equals_closed_form():
    root = np.sqrt(3)
    taps = np.array([1 - root, 3 - root, 3 + root, 1 + root]) / (4 * np.sqrt(2))
    np.testing.assert_allclose(SYM2, taps, atol=1e-12)


@pytest.mark.parametrize("shift", range(6))
def test_sym6_is_orthonormal_to_its_even_shifts(shift):
    taps = np.array(SYM6)
    product = np.dot(taps[2 * shift :], taps[: 12 - 2 * shift])
    np.testing.assert_allclose(product, float(shift == 0), atol=1e-9)


@pytest.mark.parametrize("moment", range(6))
def test_sym6_high_pass_has_vanishing_moments(moment):
    high = np.array(SYM6) * (-1.0) ** np.arange(12)
    # The published figures are rounded; the sixth power of 11 enlarges that.
    np.testing.assert_allclose(np.dot(high, np.arange(12.0) ** moment), 0, atol=1e-6)


def test_lowpass_filter_keeps_brightness():
    np.testing.assert_allclose(lowpass_filter().sum(), 1, atol=1e-7)


def test_filter_bank_sums_to_the_unit_impulse():
    np.testing.assert_allclose(filter_bank().sum(axis=0), np.eye(1, 43, 21)[0], atol=1e-7)


def test_filter_bank_is_symmetric():
    np.testing.assert_allclose(filter_bank(), filter_bank()[:, ::-1], atol=1e-8)


def test_filter_bank_passes_constants_through_the_lowest_band_only():
    np.testing.assert_allclose(filter_bank().sum(axis=1), [1, 0, 0, 0], atol=1e-7)


def test_filters_equal_the_original_buffers(golden_folder):
    state = load_case(golden_folder, "ada_augment").state
    np.testing.assert_allclose(lowpass_filter(), state["Hz_geom"], atol=5e-8)
    np.testing.assert_allclose(filter_bank(), state["Hz_fbank"], atol=5e-8)
