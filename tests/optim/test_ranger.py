import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from sfe_jax.core.errors import OptionError
from sfe_jax.optim.ranger import centralize_gradients, lookahead, ranger, scale_by_radam
from tests.compiling import jit
from tests.reference.ranger import ranger as reference

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((3, 3, 2, 4)).astype(np.float32)
GRADIENTS = RNG.standard_normal((40, 3, 3, 2, 4)).astype(np.float32)


def run(optimizer, params, gradients):
    """Parameters after each of `gradients`, whose leaves have a leading axis."""

    def step(carry, gradient):
        params, state = carry
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    start = (params, optimizer.init(params))
    return jit(lambda start, gradients: jax.lax.scan(step, start, gradients)[1])(start, gradients)


def factors(count, b2=0.999):
    """What `scale_by_radam` multiplies a constant gradient of 1 by, per step."""
    optimizer = scale_by_radam(b2=b2)

    def step(state, gradient):
        updates, state = optimizer.update(gradient, state)
        return state, updates

    ones = jnp.ones((count, 1))
    return jit(lambda ones: jax.lax.scan(step, optimizer.init(ones[0]), ones)[1])(ones)[:, 0]


def test_ranger_equals_definition():
    steps = run(ranger(0.1), jnp.asarray(WEIGHT), jnp.asarray(GRADIENTS))
    np.testing.assert_allclose(steps, reference(WEIGHT, GRADIENTS, 0.1), atol=2e-6)


def test_ranger_equals_definition_with_weight_decay():
    steps = run(ranger(0.1, weight_decay=0.5), jnp.asarray(WEIGHT), jnp.asarray(GRADIENTS))
    np.testing.assert_allclose(steps, reference(WEIGHT, GRADIENTS, 0.1, 0.5), atol=2e-6)


def test_ranger_takes_a_schedule():
    constant = run(ranger(0.1), jnp.asarray(WEIGHT), jnp.asarray(GRADIENTS[:8]))
    schedule = optax.constant_schedule(0.1)
    steps = run(ranger(schedule), jnp.asarray(WEIGHT), jnp.asarray(GRADIENTS[:8]))
    np.testing.assert_allclose(steps, constant, atol=1e-6)


def test_centralized_gradient_has_mean_zero_per_output_channel():
    optimizer = centralize_gradients()
    centred, _ = optimizer.update(jnp.asarray(GRADIENTS[0]), optimizer.init(WEIGHT))
    np.testing.assert_allclose(jnp.mean(centred, axis=(0, 1, 2)), np.zeros(4), atol=1e-7)


def test_centralization_equals_optax_on_transposed_weights():
    hwio, oihw = jnp.asarray(GRADIENTS[0]), jnp.asarray(GRADIENTS[0].transpose(3, 2, 0, 1))
    ours, _ = centralize_gradients().update(hwio, optax.EmptyState())
    theirs, _ = optax.centralize().update(oihw, optax.EmptyState())
    np.testing.assert_allclose(ours, theirs.transpose(2, 3, 1, 0), atol=1e-7)


def test_centralization_leaves_vectors():
    bias = jnp.arange(4.0)
    np.testing.assert_array_equal(centralize_gradients().update(bias, optax.EmptyState())[0], bias)


def test_radam_takes_plain_momentum_steps_before_the_threshold():
    # m / (1 - b1^t) of a constant gradient is that gradient.
    np.testing.assert_allclose(factors(5), np.ones(5), rtol=1e-6)


def test_radam_step_is_adaptive_from_the_sixth_on():
    t, b2 = 6, 0.999
    longest = 1999.0
    n = longest - 2 * t * b2**t / (1 - b2**t)
    r = np.sqrt((n - 4) / (longest - 4) * (n - 2) / (longest - 2) * longest / n)
    expected = r / (1 + 1e-5 / np.sqrt(1 - b2**t))
    np.testing.assert_allclose(factors(6)[5], expected, rtol=2e-6)


@pytest.mark.parametrize("b2", [0.9, 0.99, 0.999])
def test_radam_rectification_is_exact_at_every_step(b2):
    count = 1200
    t = np.arange(1, count + 1)
    longest = (1 + b2) / (1 - b2)
    n = longest - 2 * t * b2**t / (1 - b2**t)
    r = np.sqrt(np.maximum((n - 4) * (n - 2) * longest / ((longest - 4) * (longest - 2) * n), 0))
    expected = np.where(n > 5, r / (1 + 1e-5 / np.sqrt(1 - b2**t)), 1)
    np.testing.assert_allclose(factors(count, b2), expected, rtol=2e-5)


def test_lookahead_ends_period_halfway_to_the_slow_parameters():
    steps = run(lookahead(optax.sgd(1.0), sync_period=3), jnp.zeros(1), -jnp.ones((6, 1)))
    np.testing.assert_array_equal(steps[:, 0], [1, 2, 1.5, 2.5, 3.5, 3])


def test_lookahead_is_the_inner_optimiser_for_slow_step_one():
    inner = optax.sgd(0.1, momentum=0.9)
    optimizer = lookahead(inner, slow_step=1.0)
    steps = run(optimizer, jnp.asarray(WEIGHT), jnp.asarray(GRADIENTS))
    plain = run(inner, jnp.asarray(WEIGHT), jnp.asarray(GRADIENTS))
    np.testing.assert_allclose(steps, plain, atol=2e-6)


def test_lookahead_raises_for_a_period_of_zero():
    with pytest.raises(OptionError, match="sync_period"):
        lookahead(optax.sgd(1.0), sync_period=0)


def test_lookahead_raises_without_parameters():
    optimizer = lookahead(optax.sgd(1.0))
    with pytest.raises(OptionError, match="params"):
        optimizer.update(jnp.zeros(1), optimizer.init(jnp.zeros(1)))


def test_ranger_updates_donated_parameters_and_state():
    optimizer = ranger(0.1)
    params = {"kernel": jnp.asarray(WEIGHT), "bias": jnp.zeros(4)}
    state = optimizer.init(params)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state):
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
        return optax.apply_updates(params, updates), state

    params, state = step(*step(params, state))
    assert jnp.all(jnp.isfinite(params["bias"]))


def test_ranger_state_takes_the_sharding_of_parameters():
    mesh = jax.make_mesh((8,), ("model",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec(None, "model"))
    params = jax.device_put(jnp.ones((4, 8)), sharding)
    state = ranger(0.1).init(params)
    assert state.slow.sharding.is_equivalent_to(sharding, 2)
