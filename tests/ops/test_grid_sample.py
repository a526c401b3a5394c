import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.ops.grid_sample import affine_grid, grid_sample, sample_inside
from tests.compiling import jit
from tests.reference import grid_sample as reference

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((2, 5, 7, 3)).astype(np.float32)
IDENTITY = np.tile(np.eye(2, 3, dtype=np.float32), (2, 1, 1))


def test_affine_grid_equals_definition():
    theta = RNG.standard_normal((2, 2, 3)).astype(np.float32)
    grid = affine_grid(jnp.asarray(theta), height=4, width=6)
    np.testing.assert_allclose(grid, reference.affine_grid(theta, 4, 6), atol=1e-6)


def test_affine_grid_gives_pixel_centres_for_identity():
    grid = affine_grid(jnp.asarray(IDENTITY), height=1, width=2)
    np.testing.assert_array_equal(grid[0, 0], [[-0.5, 0], [0.5, 0]])


def test_grid_sample_equals_definition_inside_and_outside():
    grid = RNG.uniform(-2, 2, (2, 9, 11, 2)).astype(np.float32)
    sampled = jit(grid_sample)(jnp.asarray(IMAGES), jnp.asarray(grid))
    np.testing.assert_allclose(sampled, reference.grid_sample(IMAGES, grid), atol=4e-6)


def test_grid_sample_is_identity_on_identity_grid():
    grid = affine_grid(jnp.asarray(IDENTITY), height=5, width=7)
    np.testing.assert_allclose(grid_sample(jnp.asarray(IMAGES), grid), IMAGES, atol=2e-6)


@pytest.mark.parametrize("place", [(-1.5, 0.0), (0.0, 1.5), (1e30, -1e30), (np.inf, 0.0)])
def test_grid_sample_is_zero_far_outside(place):
    grid = jnp.broadcast_to(jnp.asarray(place, jnp.float32), (2, 1, 1, 2))
    np.testing.assert_array_equal(grid_sample(jnp.asarray(IMAGES), grid), np.zeros((2, 1, 1, 3)))


def test_grid_sample_halves_image_at_its_border():
    grid = jnp.broadcast_to(jnp.asarray([-1.0, 1 / 5 - 1]), (2, 1, 1, 2))
    sampled = grid_sample(jnp.asarray(IMAGES), grid)
    np.testing.assert_allclose(sampled[:, 0, 0], IMAGES[:, 0, 0] / 2, atol=1e-6)


def test_sample_inside_returns_last_pixel_at_last_position():
    positions = jnp.broadcast_to(jnp.asarray([6.0, 4.0]), (2, 1, 1, 2))
    sampled = sample_inside(jnp.asarray(IMAGES), positions)
    np.testing.assert_array_equal(sampled[:, 0, 0], IMAGES[:, -1, -1])


def test_sample_inside_has_its_transpose_as_gradient():
    positions = jnp.asarray(RNG.uniform(0, 4, (2, 3, 4, 2)), jnp.float32)
    weights = jnp.asarray(RNG.standard_normal((2, 3, 4, 3)), jnp.float32)
    project = lambda x: jnp.sum(sample_inside(x, positions) * weights)  # noqa: E731
    gradient = jit(jax.grad(project))(jnp.zeros_like(IMAGES))
    # Linear in x, so <gradient, x> is the function itself.
    value = project(jnp.asarray(IMAGES))
    np.testing.assert_allclose(np.sum(gradient * IMAGES), value, rtol=1e-5)


def test_grid_sample_raises_if_batches_differ():
    with pytest.raises(ShapeError, match="grid"):
        grid_sample(jnp.asarray(IMAGES), jnp.zeros((3, 1, 1, 2)))
