"""The wavelet filters of ADA: a low-pass for resampling, and a bank of four frequency bands.

Source: Training GANs with Limited Data (arXiv:2006.06676), appendix B; stylegan2-ada-pytorch,
training/augment.py.
"""

import numpy as np

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
"""Low-pass taps of Daubechies' symlet with two vanishing moments; they sum to sqrt(2)."""

SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
"""Low-pass taps of the symlet with six vanishing moments; they sum to sqrt(2)."""

BANDS = 4
"""Frequency bands of the filter bank; each is one octave, the first holds all that is lower."""


def lowpass_filter() -> np.ndarray:
    """Low-pass between an image and the one of twice its resolution.

    Its shifts by even numbers are orthogonal, so that doubling and halving an image is exact.

    Returns:
        float32 [12], of sum 1.
    """
    taps = np.asarray(SYM6)
    return np.asarray(taps / taps.sum(), np.float32)


def filter_bank() -> np.ndarray:
    """Zero-phase filters of the bands, lowest first, which sum to the unit impulse.

    Returns:
        float32 [4, 43].
    """
    low = np.asarray(SYM2)
    high = low * (-1.0) ** np.arange(low.size)
    low2 = np.convolve(low, low[::-1]) / 2
    high2 = np.convolve(high, high[::-1]) / 2
    bank = np.eye(BANDS, 1)
    for band in range(1, BANDS):
        stretched = np.zeros((BANDS, 2 * bank.shape[1] - 1))
        stretched[:, ::2] = bank
        bank = np.stack([np.convolve(row, low2) for row in stretched])
        start = (bank.shape[1] - high2.size) // 2
        bank[band, start : start + high2.size] += high2
    return np.asarray(bank, np.float32)
