import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.losses.reconstruction import (
    crop_face,
    feature_loss,
    identity_loss,
    l2_loss,
    perceptual_distance,
)
from sfe_jax.perceptual.lpips import LinearHeads, normalise_channels
from tests.compiling import jit


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_l2_is_mean_over_all_numbers():
    images, target = normal(2, 4, 4, 3), normal(2, 4, 4, 3, seed=1)
    np.testing.assert_allclose(l2_loss(images, target), np.mean((images - target) ** 2), rtol=1e-6)


def test_l2_of_black_against_white_is_four():
    assert l2_loss(-jnp.ones((1, 2, 2, 3)), jnp.ones((1, 2, 2, 3))) == 4


@pytest.mark.parametrize("loss", [l2_loss, feature_loss])
def test_l2_refuses_shapes_that_would_broadcast(loss):
    with pytest.raises(ShapeError, match="`target` has shape"):
        loss(jnp.zeros((2, 4, 4, 3)), jnp.zeros((1, 4, 4, 3)))


def test_feature_loss_holds_both_features():
    fused, own = normal(1, 2, 2, 3), normal(1, 2, 2, 3, seed=1)
    slopes = jit(jax.grad(feature_loss, argnums=(0, 1)))(fused, own)
    expected = 2 * (fused - own) / fused.size
    np.testing.assert_allclose(slopes, [expected, -expected], rtol=1e-5)


# Identity.


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_identity_loss_is_mean_of_one_minus_cosine():
    angles = np.array([0.0, np.pi / 3, np.pi])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    target = np.tile(np.float32([1, 0]), (3, 1))
    np.testing.assert_allclose(identity_loss(embeddings, target), (0 + 0.5 + 2) / 3, rtol=1e-6)


def test_identity_loss_gives_target_no_slope():
    embeddings, target = unit(normal(2, 5)), unit(normal(2, 5, seed=1))
    own, other = jit(jax.grad(identity_loss, argnums=(0, 1)))(embeddings, target)
    np.testing.assert_allclose(own, -target / 2, rtol=1e-6)
    np.testing.assert_array_equal(other, 0)


def test_identity_loss_refuses_other_number_of_targets():
    with pytest.raises(ShapeError, match="`target` has shape"):
        identity_loss(jnp.zeros((2, 5)), jnp.zeros((1, 5)))


# Perceptual distance.


def maps(seed):
    return [normal(2, 4, 6, 3, seed=seed), normal(2, 2, 3, 5, seed=seed + 1)]


def test_perceptual_distance_equals_its_formula():
    expected = 0
    for x, y in zip(maps(0), maps(2), strict=True):
        u, v = (z / np.linalg.norm(z, axis=-1, keepdims=True) for z in (x, y))
        expected = expected + ((u - v) ** 2).sum(axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(perceptual_distance(maps(0), maps(2)), expected, rtol=1e-5)


def test_perceptual_distance_is_lpips_when_its_weights_are_one():
    first, second = ([normalise_channels(x) for x in maps(seed)] for seed in (0, 2))
    differences = [jnp.square(x - y) for x, y in zip(first, second, strict=True)]
    heads, _ = LinearHeads((3, 5)).init_with_output(jax.random.key(0), *differences)
    expected = sum(jnp.mean(x, axis=(1, 2)) for x in heads)
    np.testing.assert_allclose(perceptual_distance(maps(0), maps(2)), expected, rtol=1e-5)


def test_perceptual_distance_ignores_how_strong_a_map_is():
    doubled = [2 * x for x in maps(0)]
    np.testing.assert_allclose(perceptual_distance(doubled, maps(0)), 0, atol=1e-12)


def test_slope_of_perceptual_distance_is_finite_where_a_map_is_zero():
    target = [normal(1, 2, 2, 3)]
    slope = jit(jax.grad(lambda x: perceptual_distance([x], target)[0]))(jnp.zeros((1, 2, 2, 3)))
    assert np.isfinite(slope).all()


def test_perceptual_distance_refuses_maps_of_other_shape():
    with pytest.raises(ShapeError, match=r"`target\[1\]` has shape"):
        perceptual_distance(maps(0), [maps(2)[0], maps(2)[1][:1]])


# Crop.


def test_crop_holds_rows_35_to_222_and_columns_32_to_219():
    rows, columns = np.mgrid[:256, :256]
    images = np.stack([rows, columns], axis=-1)[None].astype(np.float32)
    face = crop_face(images)
    assert face.shape == (1, 188, 188, 2)
    np.testing.assert_array_equal(face[0, 0, 0], [35, 32])
    np.testing.assert_array_equal(face[0, -1, -1], [222, 219])


def test_crop_refuses_pictures_of_other_size():
    with pytest.raises(ShapeError, match=r"\(any, 256, 256, any\)"):
        crop_face(jnp.zeros((1, 1024, 1024, 3)))
