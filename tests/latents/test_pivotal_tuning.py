from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.core.trees import apply
from sfe_jax.latents.pivotal_tuning import (
    PivotalTuning,
    TuningOptions,
    point_around,
    with_synthesis,
)
from tests.compiling import jit
from tests.latents.search import Pixels, codes, mixed_types, networks_of, picture_of
from tests.models.networks import NUM_WS, C, W, Z, draw, generator

KEY = jax.random.key(2)
PIVOT = codes(1)[0]


def test_points_around_a_pivot_lie_at_the_radius():
    found = point_around(jnp.asarray(PIVOT), jnp.asarray(codes(3, seed=1)), radius=0.3125)
    distances = jnp.sqrt(jnp.sum(jnp.square(found - PIVOT[None]), axis=(1, 2)))
    np.testing.assert_allclose(distances, 0.3125 * np.sqrt(NUM_WS * W), rtol=1e-5)


def test_points_around_a_pivot_lie_on_the_way_to_the_codes():
    ws = jnp.asarray(codes(1, seed=1))
    found = point_around(jnp.asarray(PIVOT), ws, radius=0.1) - PIVOT[None]
    way = ws - PIVOT[None]
    cosine = jnp.sum(found * way) / jnp.linalg.norm(found) / jnp.linalg.norm(way)
    np.testing.assert_allclose(cosine, 1, atol=1e-5)


def test_radius_at_full_size_is_that_of_the_original():
    """30 over the whole code of 18 rows of 512."""
    assert TuningOptions().locality_radius * np.sqrt(18 * 512) == 30


def tuning(module=None, **options):
    return PivotalTuning(module or generator()[0], Pixels(), TuningOptions(**options))


@cache
def program(found):
    return jit(found.step)


def tune(found, image, count):
    """State after `count` steps towards a picture [R, R, 3]."""
    _, variables = generator()
    state = found.begin(variables)
    for _ in range(count):
        with mixed_types():
            state = program(found)(
                networks_of(variables), state, image, image, pivot=jnp.asarray(PIVOT), key=KEY
            )
    return state


@pytest.fixture(scope="module")
def image():
    """A picture that the generator makes elsewhere."""
    return picture_of(generator()[1], codes(1, seed=5))[0]


def moves(state):
    """Largest change of each parameter of the synthesis network."""
    before = generator()[1]["params"]["synthesis"]
    changes = jax.tree.map(lambda x, y: np.abs(x - y).max(), before, state.params)
    return np.array(jax.tree.leaves(changes))


def test_first_step_is_as_long_as_the_learning_rate(image):
    """Adam's first step is the learning rate in the direction of the slope's sign."""
    largest = moves(tune(tuning(learning_rate=0.01, enough=0.0), image, 1))
    np.testing.assert_allclose(largest.max(), 0.01, rtol=1e-3)


def test_every_parameter_moves(image):
    assert (moves(tune(tuning(learning_rate=0.01, enough=0.0), image, 1)) > 0).all()


def test_distance_falls(image):
    found = tuning(learning_rate=0.01, enough=0.0)
    first, last = (tune(found, image, count).distance for count in (1, 30))
    assert last < 0.3 * first


def test_copy_that_is_near_enough_is_not_moved(image):
    state = tune(tuning(enough=1e6), image, 2)
    assert moves(state).max() == 0
    assert (int(state.taken), int(state.step)) == (0, 2)


def test_steps_are_counted(image):
    assert int(tune(tuning(enough=0.0, learning_rate=0.01), image, 3).taken) == 3


def change_around(state):
    """How much the copy differs from the generator on the way to codes that no step has seen."""
    module, variables = generator()
    codes = apply(module, variables, draw(8, Z, seed=9), psi=0.5, method="map")
    ws = point_around(jnp.asarray(PIVOT), codes, radius=0.3125)
    own = with_synthesis(variables, state.params)
    # Without noise, as locality sees pictures.
    show = jit(lambda x: apply(module, x, ws, noise_mode="none", method="synthesize")["image"])
    before, after = show(variables), show(own)
    return float(jnp.mean(jnp.square(before - after)))


def test_locality_keeps_the_surroundings(image):
    free = tuning(learning_rate=0.01, enough=0.0)
    held = tuning(learning_rate=0.01, enough=0.0, locality=3.0, locality_samples=2)
    free_change, held_change = (change_around(tune(found, image, 30)) for found in (free, held))
    assert held_change < 0.1 * free_change


def test_locality_of_a_conditional_generator_needs_a_class():
    module, variables = generator(c_dim=C)
    found = tuning(module, locality=1.0)
    image = jnp.asarray(draw(16, 16, 3))
    with pytest.raises(OptionError, match="3 classes"):
        jax.eval_shape(
            lambda state: found.step(
                networks_of(variables), state, image, image, pivot=jnp.asarray(PIVOT), key=KEY
            ),
            found.begin(variables),
        )
