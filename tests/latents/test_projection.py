from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.latents.projection import (
    Projection,
    ProjectionOptions,
    code_noise_share,
    code_statistics,
    colour_of_noise,
    learning_rate_share,
    noise_maps,
    standardise_noise,
    with_noise_maps,
)
from tests.compiling import jit
from tests.latents.search import Pixels, codes, mixed_types, networks_of, picture_of
from tests.models.networks import NUM_WS, W, draw, generator
from tests.models.test_stylegan3 import generator as alias_free

KEY = jax.random.key(1)


# Schedules.


@pytest.mark.parametrize(
    ("t", "share"), [(0.0, 0.0), (0.025, 0.5), (0.05, 1.0), (0.75, 1.0), (0.875, 0.5), (1.0, 0.0)]
)
def test_learning_rate_rises_linearly_and_falls_along_a_cosine(t, share):
    found = learning_rate_share(jnp.float32(t), up=0.05, down=0.25)
    np.testing.assert_allclose(found, share, atol=1e-6)


@pytest.mark.parametrize(("t", "share"), [(0.0, 1.0), (0.375, 0.25), (0.75, 0.0), (0.9, 0.0)])
def test_noise_on_codes_fades_as_a_parabola(t, share):
    found = code_noise_share(jnp.float32(t), length=0.75)
    np.testing.assert_allclose(found, share, atol=1e-6)


def test_spread_is_the_root_mean_squared_distance_from_the_mean():
    samples = np.float32([[3, 0], [-3, 0], [0, 4], [0, -4]]) + np.float32([1, 2])
    mean, spread = code_statistics(samples)
    np.testing.assert_allclose(mean, [1, 2])
    np.testing.assert_allclose(spread, np.sqrt((9 + 9 + 16 + 16) / 4))


# Noise maps.


@pytest.mark.parametrize(("side", "scales"), [(4, 1), (8, 1), (16, 2), (32, 3)])
def test_flat_noise_costs_one_per_direction_and_scale(side, scales):
    np.testing.assert_allclose(colour_of_noise(jnp.ones((side, side))), 2 * scales)


def test_stripes_cost_in_both_directions():
    """Along a stripe neighbours are equal, across it they are opposite: both are correlated."""
    stripes = jnp.tile(jnp.asarray([[1.0], [-1.0]]), (4, 8))
    np.testing.assert_allclose(colour_of_noise(stripes), 2)


def test_white_noise_costs_next_to_nothing():
    assert colour_of_noise(jnp.asarray(draw(256, 256))) < 1e-3


def test_noise_is_standardised():
    noise = standardise_noise(5 + 3 * jnp.asarray(draw(8, 8)))
    np.testing.assert_allclose([noise.mean(), jnp.square(noise).mean()], [0, 1], atol=1e-5)


def test_every_noise_map_of_a_generator_is_found():
    module, variables = generator()
    assert sorted(x.shape for x in noise_maps(variables).values()) == sorted(
        (layer.resolution, layer.resolution) for layer in module.layers if layer.kind == "conv"
    )


def test_generator_without_noise_has_no_maps():
    assert noise_maps(generator(use_noise=False)[1]) == {}


def test_noise_maps_are_replaced():
    _, variables = generator()
    maps = {path: x + 1 for path, x in noise_maps(variables).items()}
    found = noise_maps(with_noise_maps(variables, maps))
    assert all((found[path] == maps[path]).all() for path in maps)


# Steps.


@cache
def program(found):
    return jit(found.step)


def projection(use_noise=True, **options):
    return Projection(generator(use_noise=use_noise)[0], Pixels(), ProjectionOptions(**options))


def search(found, start, targets, count):
    """State and distances after `count` steps from codes [N, rows, W]."""
    _, variables = generator(use_noise=found.generator.use_noise)
    state, distances = found.begin(variables, jnp.asarray(start), KEY), []
    for _ in range(count):
        with mixed_types():
            state, distance = program(found)(
                networks_of(variables), state, targets, spread=jnp.float32(1), key=KEY
            )
        distances.append(distance)
    return state, np.asarray(distances)


@pytest.fixture(scope="module")
def targets():
    """Pictures of two codes, with the stored noise."""
    return picture_of(generator()[1], codes(2, seed=5))


def test_first_step_moves_no_code(targets):
    start = draw(2, 1, W)
    state, _ = search(projection(steps=4), start, targets, 1)
    np.testing.assert_array_equal(state.learned.codes, start)


def test_a_step_is_one_of_adam_under_the_schedule():
    """Both steps have one slope, since the first moves nothing; Adam's averages equal it then."""
    module, variables = generator(use_noise=False)
    found = projection(use_noise=False, steps=40, code_noise=0.0)
    target, start = picture_of(variables, codes(1, seed=5), module), draw(1, 1, W)
    state, _ = search(found, start, target, 2)

    def loss(code):
        ws = jnp.broadcast_to(code, (1, NUM_WS, W))
        image = module.apply(variables, ws, method="synthesize")["image"]
        return Pixels().compare({}, image, target)[0]

    slope = np.asarray(jit(jax.grad(loss))(jnp.asarray(start)))
    rate = 0.1 * (1 / 40) / 0.05
    expected = start - rate * slope / (np.abs(slope) + 1e-8)
    np.testing.assert_allclose(state.learned.codes, expected, atol=1e-5)


def test_rows_stay_equal_in_w(targets):
    found = projection(steps=4)
    state, _ = search(found, draw(2, 1, W), targets, 3)
    ws = np.asarray(found.ws(state))
    assert ws.shape == (2, NUM_WS, W)
    assert (ws == ws[:, :1]).all()


def test_rows_go_their_own_ways_in_w_plus(targets):
    found = projection(steps=4)
    state, _ = search(found, codes(2), targets, 3)
    ws = np.asarray(found.ws(state))
    assert np.abs(ws - ws[:, :1]).max() > 1e-3


def test_a_picture_does_not_see_its_neighbour(targets):
    """Beside another one it is projected as beside itself."""
    start = draw(2, 1, W)
    mixed, _ = search(projection(steps=4), start, targets, 3)
    twice, _ = search(projection(steps=4), start[[1, 1]], targets[jnp.asarray([1, 1])], 3)
    found, expected = mixed.learned.codes[1], twice.learned.codes[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_noise_maps_stay_standardised(targets):
    state, _ = search(projection(steps=4), draw(2, 1, W), targets, 2)
    for noise in state.learned.noises.values():
        np.testing.assert_allclose(np.square(noise).mean(axis=(1, 2)), 1, atol=1e-4)


def test_own_pictures_are_found_again():
    """A generator without noise has a code that shows its picture exactly."""
    module, variables = generator(use_noise=False)
    target = picture_of(variables, codes(1, seed=5), module)
    found = projection(use_noise=False, steps=150, code_noise=0.01)
    _, distances = search(found, np.zeros((1, 1, W), np.float32), target, 150)
    assert distances[-1, 0] < 0.01 * distances[0, 0]


def test_stylegan3_is_searched_without_noise_maps():
    """Shapes alone: its programs take long to compile."""
    module, variables = alias_free()
    found = Projection(module, Pixels(), ProjectionOptions())
    state = found.begin(variables, jnp.zeros((2, 1, W)), KEY)
    images = jnp.zeros((2, module.resolution, module.resolution, 3))
    with mixed_types():
        step = partial(found.step, spread=jnp.float32(1), key=KEY)
        after, distances = jax.eval_shape(step, networks_of(variables), state, images)
    assert (after.learned.codes.shape, after.learned.noises) == ((2, 1, W), {})
    assert distances.shape == (2,)
