"""Forward derivatives of the networks: what carries a direction on is what carries slopes back."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.models import stylegan1, stylegan2
from tests.models.networks import NUM_WS, W, discriminator, draw, generator

pytestmark = pytest.mark.usefixtures("quick_programs")


def assert_modes_agree(function, x):
    """Checks g . (J v) = (g J) . v, for a direction v and slopes g."""
    v = jnp.asarray(draw(*x.shape, seed=1))
    y, forward = jax.jit(lambda x, v: jax.jvp(function, (x,), (v,)))(x, v)
    g = jnp.asarray(draw(*y.shape, seed=2))
    (back,) = jax.jit(lambda x, g: jax.vjp(function, x)[1](g))(x, g)
    np.testing.assert_allclose(jnp.vdot(g, forward), jnp.vdot(back, v), rtol=1e-3)


@pytest.mark.parametrize("family", [stylegan1, stylegan2])
def test_forward_derivative_of_generator_agrees_with_reverse(family):
    module, variables = generator(family.Generator)

    def picture(ws):
        return module.apply(variables, ws, method="synthesize")["image"]

    assert_modes_agree(picture, jnp.asarray(draw(1, NUM_WS, W)))


def test_forward_derivative_of_discriminator_agrees_with_reverse():
    module, variables = discriminator()
    assert_modes_agree(partial(module.apply, variables), jnp.asarray(draw(4, 16, 16, 3)))
