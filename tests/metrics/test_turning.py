import numpy as np
import pytest

from sfe_jax.metrics.turning import band_filter, rotate, rotate_in_place, rotation

SIDE = 48


def scene(places):
    """A smooth picture of places (x, y), [..., 2], in sides of a picture from its middle."""
    x, y = places[..., 0], places[..., 1]
    waves = np.cos(2 * np.pi * (3 * x - y) + 0.4) + np.sin(2 * np.pi * (x + 2 * y))
    return (0.5 * waves).astype(np.float32)[None, :, :, None]


def pixels(height=SIDE, width=SIDE):
    """Middles of the pixels, [H, W, 2]."""
    x, y = ((np.arange(n) + 0.5) / n - 0.5 for n in (width, height))
    return np.stack(np.meshgrid(x, y), axis=-1)


def seen_through(angle):
    """The scene after a turn: what was at M^-1 p is now at p."""
    return scene(pixels() @ rotation(-angle)[:2, :2].T)


def test_rotation_turns_the_first_axis_against_the_second():
    np.testing.assert_allclose(rotation(np.pi / 2) @ [1, 0, 1], [0, -1, 1], atol=1e-7)


@pytest.mark.parametrize(("up", "taps"), [(4, 47), (1, 11)])
def test_filter_has_the_size_of_the_original(up, taps):
    assert band_filter(rotation(0.3), up=up).shape == (taps, taps)


def test_filter_keeps_the_brightness_at_every_phase():
    padded = np.pad(band_filter(rotation(0.3), up=4), (0, 1)).reshape(12, 4, 12, 4)
    np.testing.assert_allclose(padded.sum(axis=(0, 2)), 1 / 16, rtol=1e-5)


@pytest.mark.parametrize("up", [1, 4])
def test_filter_is_the_convolution_of_the_ideal_ones(up):
    """By direct sums, at the middle and a pixel beside it, which are of one phase."""
    matrix = rotation(0.3).astype(np.float64)[:2, :2]
    taps = np.arange(-64 * up + 1, 64 * up) / up
    places = np.stack(np.meshgrid(taps, taps), axis=-1)
    ideal = lambda p: np.prod(np.sinc(p), axis=-1)  # noqa: E731
    window = lambda p: np.prod(np.where(np.abs(p) < 3, np.sinc(p / 3), 0), axis=-1)  # noqa: E731

    def convolved(at):
        turned = (np.array(at) - places) @ matrix.T
        return np.prod([np.sum(f(places) * f(turned)) for f in (ideal, window)])

    ratio = convolved([1, 0]) / convolved([0, 0])
    f = band_filter(rotation(0.3), up=up)
    centre = len(f) // 2
    assert f[centre, centre + up] / f[centre, centre] == pytest.approx(ratio, rel=1e-3)


@pytest.mark.parametrize("angle", [0.0, 0.3, -2.0, np.pi / 2])
def test_smooth_picture_is_turned_as_its_scene(angle):
    turned, mask = rotate(scene(pixels()), angle)
    error = np.abs(turned - seen_through(angle)) * mask
    assert np.sum(mask) > 0.2 * SIDE**2
    assert np.max(error) < 5e-3


def test_mask_leaves_the_border_out_when_nothing_turns():
    """The nearest of the fine pixels lies at 4 i + 25 or 26, and the border has 47."""
    _, mask = rotate(scene(pixels()), 0.0)
    (known,) = np.nonzero(np.asarray(mask[0, SIDE // 2, :, 0]))
    assert (known[0], known[-1]) == (6, SIDE - 7)


def test_oblong_pictures_turn_by_half_a_turn():
    image = np.random.default_rng(0).standard_normal((2, 36, 40, 1)).astype(np.float32)
    smooth = rotate(image, 0.0)[0]
    turned, mask = rotate(image, np.pi)
    np.testing.assert_allclose(turned * mask, smooth[:, ::-1, ::-1] * mask, atol=2e-3)


def test_turned_picture_keeps_its_place_when_only_its_band_is_cut():
    image = seen_through(0.3)
    filtered, mask = rotate_in_place(image, 0.3)
    assert np.max(np.abs(filtered - image) * mask) < 5e-3


def test_border_of_a_filtered_picture_is_5_pixels():
    _, mask = rotate_in_place(scene(pixels()), 0.3)
    assert np.sum(mask) == (SIDE - 10) ** 2
    assert np.all(mask[0, 5:-5, 5:-5] == 1)
