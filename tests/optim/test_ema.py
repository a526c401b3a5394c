import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import WeightsError
from sfe_jax.optim.ema import ema_decay, update_ema
from tests.compiling import jit


def variables(param, buffer):
    return {
        "params": {"conv": {"kernel": jnp.full((2, 3), param, jnp.float32)}},
        "buffers": {"w_avg": jnp.full((4,), buffer, jnp.float32)},
    }


def test_decay_halves_over_half_life_without_ramp():
    decay = ema_decay(32, 0, half_life=10_000, ramp_up=None)
    np.testing.assert_allclose(decay ** (10_000 / 32), 0.5, rtol=1e-4)


def test_decay_is_zero_before_the_first_image_with_ramp():
    assert ema_decay(32, 0, half_life=10_000, ramp_up=0.05) == 0


def test_decay_follows_ramp_while_it_is_below_half_life():
    decay = ema_decay(64, 20_000, half_life=10_000, ramp_up=0.05)
    np.testing.assert_allclose(decay, 0.5 ** (64 / 1000), rtol=1e-6)


def test_decay_follows_half_life_after_ramp():
    decay = ema_decay(64, 10_000_000, half_life=10_000, ramp_up=0.05)
    np.testing.assert_allclose(decay, 0.5 ** (64 / 10_000), rtol=1e-6)


def test_decay_is_the_same_for_a_traced_count():
    decay = jit(lambda seen: ema_decay(64, seen, half_life=10_000, ramp_up=0.05))
    np.testing.assert_allclose(decay(20_000), 0.5 ** (64 / 1000), rtol=1e-6)


def test_update_interpolates_parameters():
    new = update_ema(variables(1, 0), variables(3, 0), 0.75)
    np.testing.assert_array_equal(new["params"]["conv"]["kernel"], np.full((2, 3), 1.5))


def test_update_copies_buffers():
    new = update_ema(variables(0, 1), variables(0, 3), 0.75)
    np.testing.assert_array_equal(new["buffers"]["w_avg"], np.full(4, 3))


def test_update_copies_parameters_at_decay_zero():
    new = update_ema(variables(1, 0), variables(0.1, 0), jnp.float32(0))
    np.testing.assert_array_equal(new["params"]["conv"]["kernel"], np.full((2, 3), np.float32(0.1)))


def test_update_leaves_average_that_has_arrived():
    same = variables(0.1, 0)
    new = update_ema(same, same, 0.999)
    np.testing.assert_array_equal(new["params"]["conv"]["kernel"], same["params"]["conv"]["kernel"])


def test_update_keeps_the_type_of_parameters():
    half = {"params": {"bias": jnp.ones(3, jnp.bfloat16)}}
    assert update_ema(half, half, jnp.float32(0.5))["params"]["bias"].dtype == jnp.bfloat16


def test_update_raises_if_collections_differ():
    with pytest.raises(WeightsError, match="buffers"):
        update_ema(variables(0, 0), {"params": {}}, 0.5)
