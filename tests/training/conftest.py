import jax
import pytest

from tests.training import games
from tests.training.games import plain_descent
from tests.training.toys import one_device


@pytest.fixture(scope="session")
def gan():
    """A GAN, every phase of which runs in step 0; four path lengths are fewer than the devices."""
    with plain_descent():
        return games.game(batch_size=32, mixing=0.5, path_length_shrink=8, ema_images=100.0)


@pytest.fixture(scope="session")
def begun(gan):
    """Its state before the first step."""
    with plain_descent():
        return jax.device_get(jax.jit(gan.init)(games.KEY, gan.given))


@pytest.fixture(scope="session")
def turns(gan, begun):
    """Two steps of it on one device."""
    with plain_descent():
        return games.play(gan, one_device(), state=begun)[0]
