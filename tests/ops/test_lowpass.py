import numpy as np
import pytest
import scipy.signal

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.lowpass import kaiser_beta, lowpass, radial_lowpass

DESIGN = {"cutoff": 2.0, "width": 12.0, "rate": 32.0}

# The widths reach the three branches of the window's shape.
DESIGNS = {
    "wide": (12, DESIGN),
    "middle": (24, {"cutoff": 5.0, "width": 4.0, "rate": 64.0}),
    "narrow": (12, {"cutoff": 3.0, "width": 1.0, "rate": 32.0}),
    "odd": (7, DESIGN),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_lowpass_equals_that_of_scipy(name):
    taps, design = DESIGNS[name]
    cutoff, width, rate = design.values()
    expected = scipy.signal.firwin(taps, cutoff, width=width, fs=rate)
    np.testing.assert_allclose(lowpass(taps, **design), expected, atol=1e-7)


def test_kaiser_beta_is_that_of_stylegan3():
    attenuation = 2.285 * 11 * np.pi * 12 / 16 + 7.95
    assert kaiser_beta(attenuation) == pytest.approx(6.4437189, abs=1e-7)


def test_radial_lowpass_has_diagonal_of_stylegan3():
    half = [0.00000084, 0.00012362, 0.00169414, 0.0088264, 0.02404345, 0.03875489]
    diagonal = np.diag(radial_lowpass(12, **DESIGN))
    np.testing.assert_allclose(diagonal, [*half, *half[::-1]], atol=1e-8)


def test_radial_lowpass_is_unchanged_by_quarter_turn():
    f = radial_lowpass(12, **DESIGN)
    np.testing.assert_allclose(np.rot90(f), f, atol=1e-9)


@pytest.mark.parametrize("taps", [7, 12])
def test_radial_lowpass_has_sum_one(taps):
    assert radial_lowpass(taps, **DESIGN).sum() == pytest.approx(1, abs=1e-6)


def test_radial_lowpass_attenuates_diagonal_like_axis():
    """At twice the cutoff, along x and along the diagonal."""
    f = radial_lowpass(24, cutoff=4.0, width=8.0, rate=32.0).astype(np.float64)
    x = (np.arange(24) - 11.5) / 32
    axis = (f * np.cos(2 * np.pi * 8 * x)[None]).sum()
    diagonal = (f * np.cos(2 * np.pi * 8 / np.sqrt(2) * (x[:, None] + x[None]))).sum()
    assert diagonal == pytest.approx(axis, abs=2e-3)


@pytest.mark.parametrize("design", [lowpass, radial_lowpass])
@pytest.mark.parametrize(("taps", "cutoff"), [(0, 2.0), (12, 0.0), (12, 17.0)])
def test_design_refuses_what_has_no_filter(design, taps, cutoff):
    with pytest.raises(ShapeError, match=rf"{taps} taps, cutoff {cutoff} at rate 32"):
        design(taps, cutoff=cutoff, width=4.0, rate=32.0)
