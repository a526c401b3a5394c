from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convert_weights.kinds.network import network
from convert_weights.name_maps.lpips import package, package_entries
from sfe_jax.core.errors import ShapeError, WeightsError
from sfe_jax.core.trees import apply
from sfe_jax.perceptual.lpips import Lpips, normalise_channels, standardise_colours
from tests.compiling import jit
from tests.reference import lpips as reference

SIZES = {"alex": (33, 38), "vgg": (18, 16), "squeeze": (26, 21)}
"""Sizes at which windows stand over a border and are cut off in one axis or the other."""


def pictures(trunk, seed=0):
    """Two pictures and two others near them, in [-1, 1]."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (2, *SIZES[trunk], 3)).astype(np.float32)
    noise = 0.5 * rng.standard_normal(images.shape).astype(np.float32)
    return images, np.clip(images + noise, -1, 1)


@cache
def state_of(trunk):
    return reference.random_state(trunk, np.random.default_rng(1))


@cache
def _network(trunk):
    state = reference.package_state(trunk, state_of(trunk))
    return network(state, package, package_entries, trunk)


@cache
def _program(trunk):
    """Distance, shares and features in one program."""
    module = _network(trunk).module

    def run(variables, images, target):
        first, second = (apply(module, variables, x, method="features") for x in (images, target))
        shares = apply(module, variables, first, second, method="compare")
        return apply(module, variables, images, target), shares, first

    return jit(run)


def run(trunk, images, target):
    return jax.tree.map(np.asarray, _program(trunk)(_network(trunk).variables, images, target))


def distance(images, target, trunk="alex"):
    return run(trunk, images, target)[0]


@pytest.mark.parametrize("trunk", SIZES)
def test_share_of_every_map_equals_numpy(trunk):
    _, shares, _ = run(trunk, *pictures(trunk))
    expected = reference.shares(trunk, state_of(trunk), *pictures(trunk))
    np.testing.assert_allclose(shares, expected, rtol=1e-5)


@pytest.mark.parametrize("trunk", SIZES)
def test_distance_is_sum_of_shares(trunk):
    distances, shares, _ = run(trunk, *pictures(trunk))
    np.testing.assert_allclose(distances, shares.sum(axis=1), rtol=1e-6)


def test_distance_of_equal_pictures_is_zero():
    images, _ = pictures("alex")
    np.testing.assert_array_equal(distance(images, images), 0)


def test_distance_is_symmetric():
    images, target = pictures("alex")
    np.testing.assert_allclose(distance(images, target), distance(target, images), rtol=1e-6)


def test_distance_of_one_picture_does_not_depend_on_another():
    images, target = pictures("alex")
    others = np.stack([images[0], -images[1]])
    first, second = distance(images, target), distance(others, target)
    np.testing.assert_allclose(first[0], second[0], rtol=1e-6)
    assert abs(first[1] - second[1]) > 1e-3


def test_features_have_unit_length():
    *_, features = run("alex", *pictures("alex"))
    lengths = [np.linalg.norm(x, axis=-1) for x in features]
    for length in lengths:
        np.testing.assert_allclose(length[length > 0], 1, rtol=1e-5)


def test_distance_is_float32_near_the_exact_one_when_pictures_are_bfloat16():
    images, target = pictures("alex")
    half = distance(*(jnp.asarray(x, jnp.bfloat16) for x in (images, target)))
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, distance(images, target), rtol=0.05)  # 8 bits, five layers.


# Parts.


def test_colours_of_mean_and_deviation_become_zero_and_one():
    """torchvision's mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225 in [0, 1]."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    colours = np.stack([mean, mean + deviation])[None, None] * 2 - 1
    found = standardise_colours(jnp.asarray(colours, jnp.float32))[0, 0]
    np.testing.assert_allclose(found, [[0, 0, 0], [1, 1, 1]], atol=1e-6)


def test_channels_are_scaled_to_unit_length():
    x = jnp.array([3.0, -4.0])[None, None, None]
    np.testing.assert_allclose(normalise_channels(x)[0, 0, 0], [0.6, -0.8], rtol=1e-6)


def test_channels_stay_zero_where_all_are():
    assert not normalise_channels(jnp.zeros((1, 1, 1, 3))).any()


def test_slope_is_finite_where_all_channels_are_zero():
    slope = jit(jax.grad(lambda x: jnp.sum(normalise_channels(x))))(jnp.zeros((1, 1, 1, 3)))
    np.testing.assert_array_equal(slope, 1)


# Refusals.


def test_unknown_trunk_is_refused_with_the_known_ones():
    with pytest.raises(WeightsError, match=r"'resnet'.*alex, vgg, squeeze"):
        jax.eval_shape(Lpips("resnet").init, jax.random.key(0), *pictures("alex"))


def refused(trunk, images, target, match):
    program = Lpips(trunk).init
    with pytest.raises(ShapeError, match=match):
        jax.eval_shape(program, jax.random.key(0), images, target)


@pytest.mark.parametrize(("trunk", "size"), [("alex", 30), ("vgg", 15), ("squeeze", 16)])
def test_pictures_too_small_for_trunk_are_refused(trunk, size):
    images = np.zeros((1, size, 64, 3), np.float32)
    refused(trunk, images, images, rf"{size} x 64, too small for {trunk}")


@pytest.mark.parametrize(("trunk", "size"), [("alex", 31), ("vgg", 16), ("squeeze", 17)])
def test_smallest_pictures_are_accepted(trunk, size):
    images = np.zeros((1, size, size, 3), np.float32)
    variables = jax.eval_shape(Lpips(trunk).init, jax.random.key(0), images, images)
    out = jax.eval_shape(Lpips(trunk).apply, variables, images, images)
    assert out.shape == (1,)


def test_grey_pictures_are_refused():
    images = np.zeros((1, 64, 64, 1), np.float32)
    refused("alex", images, images, r"`images` has shape .*required is \(any, any, any, 3\)")


def test_target_of_other_shape_is_refused():
    images = np.zeros((2, 64, 64, 3), np.float32)
    refused("alex", images, images[:1], "`target` has shape")
