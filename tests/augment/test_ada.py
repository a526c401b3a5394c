import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.augment.ada import (
    AdaState,
    adjust_p,
    apply_augmentation,
    augment,
    init_ada,
    observe_logits,
)
from sfe_jax.augment.matrices import product, rotate_2d, scale_2d, translate_2d
from sfe_jax.augment.parameters import draw_parameters
from sfe_jax.augment.pipeline import PIPELINES, Pipeline
from sfe_jax.augment.stages import (
    band_gains,
    cut_out,
    filter_bands,
    geometric_matrix,
    transform_color,
    transform_geometry,
)
from sfe_jax.augment.wavelets import filter_bank, lowpass_filter
from sfe_jax.core.errors import ShapeError
from tests.compiling import jit
from tests.reference import augment as reference

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.uniform(-1, 1, (3, 16, 12, 3)), jnp.float32)
WAVE = np.cos(np.arange(24) * np.pi / 23)
SMOOTH = jnp.asarray(np.add.outer(0.3 * WAVE, 0.7 * WAVE)[None, :, :, None], jnp.float32)
ASYMMETRY = 0.02
"""What is turned is also moved, by 0.1 pixels: the low-pass is not symmetric."""

EVERYTHING = PIPELINES["bgcfnc"]

geometry = jit(transform_geometry)


@functools.partial(jit, static_argnames="pipeline")
def apply(images, pipeline, **fields):
    """Applies `pipeline` with neutral parameters but for `fields`."""
    key, n = jax.random.key(0), images.shape[0]
    parameters = draw_parameters(key, 0.0, shape=images.shape, pipeline=pipeline)
    changed = {name: jnp.broadcast_to(value, (n, *value.shape)) for name, value in fields.items()}
    return apply_augmentation(images, parameters._replace(**changed), pipeline=pipeline)


def full(*values):
    return jnp.asarray(values, jnp.float32)


# The whole.


def test_augmentation_is_the_identity_bit_for_bit_at_p_zero():
    run = jit(functools.partial(augment, pipeline=EVERYTHING))
    np.testing.assert_array_equal(run(jax.random.key(0), IMAGES, 0.0), IMAGES)


def test_augmentation_changes_every_sample_at_p_one():
    run = jit(functools.partial(augment, pipeline=EVERYTHING))
    changed = run(jax.random.key(0), IMAGES, 1.0)
    assert np.all(np.max(np.abs(changed - IMAGES), axis=(1, 2, 3)) > 0.1)


def test_augmentation_of_a_sample_does_not_depend_on_its_batch():
    pipeline = PIPELINES["bgcf"]
    parameters = draw_parameters(jax.random.key(1), 1.0, shape=IMAGES.shape, pipeline=pipeline)
    run = jit(functools.partial(apply_augmentation, pipeline=pipeline))
    alone = run(IMAGES[:1], jax.tree.map(lambda field: field[:1], parameters))
    np.testing.assert_allclose(run(IMAGES, parameters)[:1], alone, atol=2e-6)


def test_augmentation_has_finite_second_derivatives_as_r1_needs():
    weights = jnp.asarray(RNG.standard_normal(IMAGES.shape), jnp.float32)

    def penalty(scale):
        def logits(images):
            augmented = augment(jax.random.key(2), images, 0.8, pipeline=EVERYTHING)
            return jnp.sum(jnp.tanh(scale * weights * augmented))

        return jnp.sum(jnp.square(jax.grad(logits)(IMAGES)))

    value, slope = jit(jax.value_and_grad(penalty))(jnp.float32(1))
    assert value > 0
    assert np.isfinite(slope)
    assert slope != 0


def test_augmentation_gradient_is_the_transpose_of_the_geometry():
    matrix = rotate_2d(full(0.3, 1.0, 2.0))
    weights = jnp.asarray(RNG.standard_normal(IMAGES.shape), jnp.float32)
    project = lambda x: jnp.sum(transform_geometry(x, matrix) * weights)  # noqa: E731
    gradient = jit(jax.grad(project))(jnp.zeros_like(IMAGES))
    np.testing.assert_allclose(np.sum(gradient * IMAGES), jit(project)(IMAGES), rtol=1e-4)


def test_augmentation_raises_for_two_channels_and_colours():
    with pytest.raises(ShapeError, match="2 channels"):
        jax.eval_shape(
            functools.partial(augment, pipeline=PIPELINES["color"]),
            jax.random.key(0),
            jnp.zeros((1, 8, 8, 2)),
            0.5,
        )


# Geometry.


def test_geometry_equals_the_original_padding_where_that_suffices():
    angles = rotate_2d(full(0.4, -1.1, 2.5))
    moves = translate_2d(full(2.3, -1.6, 0.4), full(-0.7, 1.2, 2.9))
    matrices = product(scale_2d(full(0.9, 1.1, 1.0), full(1.05, 0.8, 1.1)), angles, moves)
    expected = reference.transform_geometry(
        np.asarray(IMAGES, np.float64), np.asarray(matrices, np.float64), lowpass_filter()
    )
    np.testing.assert_allclose(geometry(IMAGES, matrices), expected, atol=1e-5)


def test_flip_mirrors_left_and_right():
    flipped = apply(SMOOTH, PIPELINES["blit"], flip=jnp.float32(1))
    np.testing.assert_allclose(flipped, SMOOTH[:, :, ::-1], atol=ASYMMETRY)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_equal_those_of_numpy(turns):
    turned = apply(SMOOTH, PIPELINES["blit"], quarter_turns=jnp.float32(turns))
    np.testing.assert_allclose(turned, np.rot90(SMOOTH, turns, axes=(1, 2)), atol=ASYMMETRY)


@pytest.mark.parametrize(("field", "value", "times"), [("flip", 1, 2), ("quarter_turns", 1, 4)])
def test_repeated_flips_and_turns_are_the_identity(field, value, times):
    parameters = draw_parameters(jax.random.key(0), 0.0, shape=(1, 9, 9, 3), pipeline=Pipeline())
    once = geometric_matrix(parameters._replace(**{field: full(value)}), height=9, width=9)
    np.testing.assert_allclose(product(*[once] * times)[0], np.eye(3), atol=1e-6)


def test_shift_moves_by_whole_pixels_and_mirrors():
    # 0.1 of 12 columns rounds to 1, -0.12 of 16 rows to -2.
    shifted = apply(IMAGES, PIPELINES["blit"], shift=full(0.1, -0.12))
    expected = np.pad(IMAGES, ((0, 0), (0, 2), (1, 0), (0, 0)), mode="reflect")[:, 2:, :-1]
    np.testing.assert_allclose(shifted, expected, atol=5e-6)


def test_scale_of_two_doubles_a_ramp_about_the_centre():
    ramp = jnp.broadcast_to(jnp.linspace(-1, 1, 32)[None, None, :, None], (1, 32, 32, 1))
    scaled = apply(ramp, PIPELINES["geom"], scale=jnp.float32(2))
    np.testing.assert_allclose(scaled[0, 8:24, 8:24], ramp[0, 8:24, 8:24] / 2, atol=ASYMMETRY)


def test_geometry_mirrors_beyond_one_reflection():
    far = translate_2d(full(44.0), full(0.0))  # Twice the period of 2 (12 - 1) columns.
    np.testing.assert_allclose(geometry(IMAGES[:1], far), IMAGES[:1], atol=5e-6)


# Colour.


def test_brightness_and_contrast_apply_in_that_order():
    new = apply(IMAGES, PIPELINES["color"], brightness=jnp.float32(0.1), contrast=jnp.float32(2))
    np.testing.assert_allclose(new, (IMAGES + 0.1) * 2, atol=1e-6)


def test_luma_flip_negates_grey_images():
    grey = jnp.broadcast_to(IMAGES[..., :1], IMAGES.shape)
    flipped = apply(grey, PIPELINES["color"], luma_flip=jnp.float32(1))
    np.testing.assert_allclose(flipped, -grey, atol=1e-6)


def test_single_channel_takes_the_mean_of_the_rows():
    matrix = jnp.asarray(RNG.standard_normal((3, 4, 4)), jnp.float32)
    x = IMAGES[..., :1]
    rgb = transform_color(jnp.broadcast_to(x, IMAGES.shape), matrix)
    expected = np.mean(rgb, axis=3, keepdims=True)
    np.testing.assert_allclose(transform_color(x, matrix), expected, atol=1e-6)


# Filter, noise, cutout.


def test_band_gains_keep_the_energy_of_a_natural_spectrum_for_one_band():
    gains = np.asarray(band_gains(full(1, 1, 4, 1)[None])[0])
    np.testing.assert_allclose(np.sum(np.array([10, 1, 1, 1]) / 13 * gains**2), 1, rtol=1e-6)


def test_filter_equals_correlation_of_rows_and_columns():
    factors = full(1, 0.5, 2, 3)[None]
    taps = np.asarray(band_gains(factors))[0] @ filter_bank()
    x = np.pad(np.asarray(IMAGES[0, :, :, 0], np.float64), 21, mode="reflect")
    for axis in (0, 1):
        x = np.apply_along_axis(np.correlate, axis, x, taps, "valid")
    new = jit(filter_bands)(IMAGES[:1, :, :, :1], factors)
    np.testing.assert_allclose(new[0, :, :, 0], x, atol=5e-6)


def test_noise_is_added():
    noise = jnp.asarray(RNG.standard_normal(IMAGES.shape[1:]), jnp.float32)
    noisy = apply(IMAGES, PIPELINES["noise"], noise=noise)
    np.testing.assert_allclose(noisy, IMAGES + noise[None], atol=1e-6)


def test_cutout_clears_a_square_of_half_the_size():
    cut = cut_out(jnp.ones((1, 8, 12, 1)), full(0.5), full(0.5, 0.25)[None])
    expected = np.ones((8, 12))
    expected[:4, 3:9] = 0
    np.testing.assert_array_equal(cut[0, :, :, 0], expected)


def test_cutout_is_cropped_by_the_border():
    cut = cut_out(jnp.ones((1, 8, 8, 1)), full(0.5), full(0, 0)[None])
    assert np.sum(cut == 0) == 4


# The controller.


def test_signs_are_counted_over_several_batches():
    state = observe_logits(init_ada(), full(2, -1, 3, 0))
    state = observe_logits(state, full(5, 5))
    np.testing.assert_array_equal([state.sign_sum, state.count], [3, 6])


@pytest.mark.parametrize(
    ("sign_sum", "p"), [(8, 0.2 + 256 / 500_000), (4, 0.2 - 256 / 500_000)]
)  # Means 0.8 and 0.4 against 0.6.
def test_p_moves_by_images_over_speed(sign_sum, p):
    state = AdaState(full(0.2)[0], full(sign_sum)[0], full(10)[0])
    np.testing.assert_allclose(jit(lambda s: adjust_p(s, images=256))(state).p, p, rtol=1e-6)


def test_p_rises_from_zero_to_one_in_speed_images():
    state = init_ada()
    for _ in range(10):
        state = adjust_p(observe_logits(state, jnp.ones(4)), images=50_000)
    np.testing.assert_allclose(state.p, 1, rtol=1e-6)


def test_p_stays_at_least_zero():
    assert adjust_p(observe_logits(init_ada(), -jnp.ones(4)), images=256).p == 0


def test_p_stays_without_logits():
    np.testing.assert_array_equal(adjust_p(init_ada(0.3), images=256).p, np.float32(0.3))


def test_adjustment_forgets_the_signs():
    state = adjust_p(observe_logits(init_ada(), jnp.ones(4)), images=256)
    np.testing.assert_array_equal([state.sign_sum, state.count], [0, 0])


def test_pipeline_without_transforms_is_the_identity():
    np.testing.assert_array_equal(
        augment(jax.random.key(0), IMAGES, 1.0, pipeline=Pipeline()), IMAGES
    )
