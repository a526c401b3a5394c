import jax.numpy as jnp
import numpy as np

from sfe_jax.augment.matrices import (
    across_luma,
    along_luma,
    brighten,
    multiply,
    product,
    rotate_2d,
    rotate_hue,
    translate_2d,
)

GREY = np.array([0.3, 0.3, 0.3, 1], np.float32)
RED = np.array([1, 0, 0, 1], np.float32)


def apply(matrix, color):
    return np.asarray(matrix[0]) @ color


def test_rotation_turns_x_towards_y():
    moved = apply(rotate_2d(jnp.array([np.pi / 2])), np.array([1, 0, 1], np.float32))
    np.testing.assert_allclose(moved, [0, 1, 1], atol=1e-7)


def test_product_applies_the_last_matrix_first():
    moved = product(rotate_2d(jnp.array([np.pi])), translate_2d(jnp.array([2.0]), jnp.array([0.0])))
    np.testing.assert_allclose(apply(moved, np.array([1, 0, 1])), [-3, 0, 1], atol=1e-6)


def test_brightness_is_added():
    np.testing.assert_allclose(apply(brighten(jnp.array([0.2])), RED), [1.2, 0.2, 0.2, 1])


def test_contrast_multiplies_every_channel():
    np.testing.assert_allclose(apply(multiply(jnp.array([2.0])), GREY), [0.6, 0.6, 0.6, 1])


def test_luma_flip_negates_grey():
    flipped = apply(along_luma(jnp.array([-1.0])), GREY)
    np.testing.assert_allclose(flipped, [-0.3, -0.3, -0.3, 1], atol=1e-6)


def test_luma_flip_keeps_differences_of_channels():
    flipped = apply(along_luma(jnp.array([-1.0])), RED)
    np.testing.assert_allclose(flipped[0] - flipped[1], 1, atol=1e-6)


def test_saturation_keeps_grey():
    np.testing.assert_allclose(apply(across_luma(jnp.array([3.0])), GREY), GREY, atol=1e-6)


def test_no_saturation_makes_colours_grey():
    grey = apply(across_luma(jnp.array([0.0])), RED)
    np.testing.assert_allclose(grey, [1 / 3, 1 / 3, 1 / 3, 1], atol=1e-6)


def test_hue_turned_by_a_third_moves_red_to_green():
    turned = apply(rotate_hue(jnp.array([2 * np.pi / 3])), RED)
    np.testing.assert_allclose(turned, [0, 1, 0, 1], atol=1e-6)


def test_hue_keeps_grey():
    np.testing.assert_allclose(apply(rotate_hue(jnp.array([1.0])), GREY), GREY, atol=1e-6)
