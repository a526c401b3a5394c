import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.path_length import (
    crop_face,
    lerp,
    perceptual_path_length,
    shrink,
    slerp,
    step_lengths,
    view_face,
    view_whole,
)


def codes(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal((3, *shape)), jnp.float32)


def squared(a, b):
    return jnp.sum(jnp.square(a - b), axis=1)


T = jnp.asarray([0.0, 0.25, 1.0])


def test_lerp_is_linear_for_codes_of_any_rank():
    start, end = codes(0, 2, 5), codes(1, 2, 5)
    expected = [start[0], 0.75 * start[1] + 0.25 * end[1], end[2]]
    np.testing.assert_allclose(lerp(start, end, T), expected, rtol=1e-5, atol=1e-6)


def test_slerp_divides_the_angle():
    start, end = (jnp.asarray([[s, 0.0]] * 3) for s in (2.0, 0.0))
    end = end + jnp.asarray([[0.0, 5.0]])
    angle = np.asarray(T) * np.pi / 2
    expected = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(slerp(start, end, T), expected, atol=1e-6)


def test_step_of_a_linear_generator_is_the_squared_distance_of_the_ends():
    """|G (end - start) e|^2 / e^2; float32 keeps four digits of e beside t."""
    start, end, matrix = codes(0, 8), codes(1, 8), codes(2, 8).T
    lengths = step_lengths(
        lambda w: w @ matrix, squared, interpolate=lerp, start=start, end=end, t=T * 0
    )
    np.testing.assert_allclose(lengths, squared(end @ matrix, start @ matrix), rtol=2e-2)


def test_step_on_the_sphere_is_the_squared_angle():
    start = jnp.asarray([[1.0, 0.0, 0.0]] * 3)
    end = jnp.asarray([[0.0, 3.0, 0.0]] * 3)
    lengths = step_lengths(lambda z: z, squared, interpolate=slerp, start=start, end=end, t=T * 0)
    np.testing.assert_allclose(lengths, (np.pi / 2) ** 2, rtol=1e-3)


def test_codes_of_different_shapes_are_refused():
    with pytest.raises(ShapeError, match="`end` has shape"):
        step_lengths(lambda w: w, squared, interpolate=lerp, start=T, end=T[:2], t=T)


def test_mean_leaves_out_both_tails():
    lengths = np.random.default_rng(0).permutation(np.arange(1001.0))
    lengths[lengths == 1000] = 1e9
    assert perceptual_path_length(lengths) == pytest.approx(np.arange(10, 991).mean())


def test_percentiles_between_two_lengths_keep_both():
    """The lower neighbour of the 1st percentile and the higher of the 99th: all five stay."""
    assert perceptual_path_length(np.array([1.0, 2, 3, 4, 100])) == 22


def test_mean_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="0 pairs"):
        perceptual_path_length(np.zeros(0))


def test_face_is_the_middle_of_the_picture():
    rows, columns = np.mgrid[:16, :16]
    face = crop_face(np.stack([rows, columns], axis=-1)[None])
    assert face.shape == (1, 8, 8, 2)
    assert face[0, 0, 0].tolist() == [6, 4]


def test_shrunk_pictures_are_means_of_blocks():
    images = np.arange(24, dtype=np.float32).reshape(1, 4, 6, 1)
    np.testing.assert_array_equal(
        shrink(images, factor=2)[0, :, :, 0], [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    )


@pytest.mark.parametrize("side", [64, 256, 512, 1024])
def test_face_is_shrunk_as_the_whole_picture_is(side):
    images, seen = jax.ShapeDtypeStruct((1, side, side, 3), np.float32), min(side, 256)
    shapes = [jax.eval_shape(view, images).shape for view in (view_whole, view_face)]
    assert shapes == [(1, seen, seen, 3), (1, seen // 2, seen // 2, 3)]


def test_side_that_blocks_do_not_divide_is_refused():
    with pytest.raises(ShapeError, match="513 x 513; required is a multiple of 2"):
        view_whole(np.zeros((1, 513, 513, 1), np.float32))
