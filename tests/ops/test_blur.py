import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.ops.blur import gaussian_band, gaussian_blur
from tests.compiling import jit

LARGEST = 4.0
SIZE = 15


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


IMAGES = draw(2, SIZE, SIZE + 4, 3)


def blur(images, sigma):
    return gaussian_blur(images, jnp.asarray(sigma, jnp.float32), largest=LARGEST)


BLUR = jit(blur)


def taps(sigma):
    """Weights of the definition, from -floor(3 sigma) to floor(3 sigma)."""
    reach = int(3 * sigma)
    weights = 2.0 ** -np.square(np.arange(-reach, reach + 1) / sigma)
    return weights / weights.sum()


def blurred(images, sigma):
    """The definition, axis by axis."""
    for axis in (1, 2):
        wide = [(len(taps(sigma)) // 2,) * 2 if i == axis else (0, 0) for i in range(4)]
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(np.float64(images), wide), len(taps(sigma)), axis
        )
        images = windows @ taps(sigma)
    return images


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.2, LARGEST])
def test_blur_equals_definition(sigma):
    np.testing.assert_allclose(BLUR(IMAGES, sigma), blurred(IMAGES, sigma), atol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.33])
def test_blur_of_less_than_a_third_of_a_pixel_is_none(sigma):
    np.testing.assert_array_equal(BLUR(IMAGES, sigma), IMAGES)


def test_weights_fall_by_powers_of_two():
    row = jit(lambda: gaussian_band(9, jnp.float32(1), largest=2.0))()[4]
    np.testing.assert_allclose(row / row[4], [0, 2**-9, 2**-4, 0.5, 1, 0.5, 2**-4, 2**-9, 0])


def test_band_of_no_blur_is_the_identity():
    band = jit(lambda: gaussian_band(5, jnp.float32(0), largest=2.0))()
    np.testing.assert_array_equal(band, np.eye(5))


def test_brightness_is_kept_away_from_the_borders():
    image = BLUR(jnp.ones((1, SIZE, SIZE, 1)), 2.0)
    np.testing.assert_allclose(image[0, 6:-6, 6:-6], 1, rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 2.2])
def test_slope_is_the_blur_itself(sigma):
    """The matrix is symmetric."""
    total = lambda images, sigma: jnp.sum(blur(images, sigma) * IMAGES)  # noqa: E731
    slope = jit(jax.grad(total))(jnp.zeros(IMAGES.shape), sigma)
    np.testing.assert_allclose(slope, BLUR(IMAGES, sigma), atol=1e-6)


def test_slope_of_a_squared_slope_goes_through_the_blur():
    """R1 asks for it: of |B B x|^2 / 2 it is B^4 x."""

    def penalty(images):
        slope = jax.grad(lambda x: jnp.sum(jnp.square(blur(x, 1.5))) / 2)(images)
        return jnp.sum(jnp.square(slope)) / 2

    expected = IMAGES
    for _ in range(4):
        expected = blurred(expected, 1.5)
    np.testing.assert_allclose(jit(jax.grad(penalty))(IMAGES), expected, atol=1e-5)
