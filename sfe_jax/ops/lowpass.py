"""Design of the low-pass filters of StyleGAN3: a windowed sinc along the axes, a windowed jinc.

The sinc passes a square of frequencies, the jinc a disc, so that only the jinc treats all
directions alike. Both are computed in NumPy when a network is built, never in a traced program.
"""

import numpy as np

from sfe_jax.core.errors import ShapeError


def kaiser_beta(attenuation: float) -> float:
    """Shape of the Kaiser window whose filter attenuates its stopband by so many decibels.

    Source: Kaiser (1974); StyleGAN3 (arXiv:2106.12423), appendix C.1.
    """
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0


def _kaiser_window(taps: int, *, width: float, rate: float) -> np.ndarray:
    """The window [taps] whose filter goes from pass to stop within `width`."""
    attenuation = 2.285 * (taps - 1) * np.pi * width / (rate / 2) + 7.95
    return np.kaiser(taps, kaiser_beta(attenuation))


def _check_design(taps: int, cutoff: float, rate: float) -> None:
    if taps < 1 or not 0 < cutoff <= rate / 2:
        raise ShapeError(
            f"{taps} taps, cutoff {cutoff} at rate {rate}; required are at least one tap and a "
            "cutoff above 0, at most half the rate"
        )


def _offsets(taps: int, rate: float) -> np.ndarray:
    """Places [taps] of the taps about the centre, in the unit whose inverse `rate` has."""
    return (np.arange(taps) - (taps - 1) / 2) / rate


def lowpass(taps: int, *, cutoff: float, width: float, rate: float) -> np.ndarray:
    """Kaiser-windowed sinc, to be applied along x and along y.

    Args:
        taps: Length n of the filter.
        cutoff: Frequency that is halved, in the unit of `rate`.
        width: Of the transition from pass to stop, likewise.
        rate: Samples per unit of length; frequencies up to half of it exist.

    Returns:
        float32 [n], sum 1.

    Raises:
        ShapeError: If there is no tap, or the cutoff is not in (0, rate / 2].

    Source: StyleGAN3 (arXiv:2106.12423), appendix C.1; equals scipy.signal.firwin.
    """
    _check_design(taps, cutoff, rate)
    sinc = np.sinc(2 * cutoff * _offsets(taps, rate))
    f = sinc * _kaiser_window(taps, width=width, rate=rate)
    return np.asarray(f / f.sum(), np.float32)


def radial_lowpass(taps: int, *, cutoff: float, width: float, rate: float) -> np.ndarray:
    """Jinc under the outer product of two Kaiser windows: passes a disc of frequencies.

    Arguments and errors are those of `lowpass`.

    Returns:
        float32 [n, n], sum 1; no outer product of two filters.

    Source: StyleGAN3 (arXiv:2106.12423), appendix C.2.
    """
    from scipy.special import j1  # 0.3 s, which only configuration R has to spend.

    _check_design(taps, cutoff, rate)
    x = _offsets(taps, rate)
    radius = np.hypot(x[:, None], x[None])
    radius = np.maximum(radius, 1e-9 / rate)  # An odd filter has a tap at 0, where the limit holds.
    window = _kaiser_window(taps, width=width, rate=rate)
    f = j1(2 * np.pi * cutoff * radius) / (np.pi * radius) * np.outer(window, window)
    return np.asarray(f / f.sum(), np.float32)
