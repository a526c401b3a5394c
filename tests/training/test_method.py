import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.training.method import (
    Phase,
    Trainer,
    TrainState,
    as_float,
    columns,
    decaying_ranger,
    gradients,
    grid_shape,
)


def loss(params, carry, batch, key):
    """Mean over samples of (x w - y)^2; the carry counts samples."""
    del key
    error = batch["x"] @ params["w"] - batch["y"]
    value = jnp.mean(jnp.square(error))
    return value, (carry + len(error), {"loss": value, "error": jnp.mean(error)})


@pytest.fixture
def problem():
    draw = np.random.default_rng(0).standard_normal
    params = {"w": draw(3, np.float32)}
    batch = {"x": draw((8, 3), np.float32), "y": draw(8, np.float32)}
    return params, batch


def test_gradients_are_those_of_the_closed_form(problem):
    params, batch = problem
    grads, _, scalars = gradients(loss, params, 0, batch, jax.random.key(0))
    error = batch["x"] @ params["w"] - batch["y"]
    np.testing.assert_allclose(grads["w"], 2 * error @ batch["x"] / 8, rtol=1e-5)
    np.testing.assert_allclose(scalars["loss"], np.mean(error**2), rtol=1e-5)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_parts_give_the_gradients_and_scalars_of_the_whole(problem, parts):
    params, batch = problem
    whole = gradients(loss, params, 0, batch, jax.random.key(0))
    parted = gradients(loss, params, 0, batch, jax.random.key(0), accumulate=parts)
    # Sums are taken in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), parted, whole)


def test_every_part_has_random_numbers_of_its_own(problem):
    def noisy(params, carry, batch, key):
        return jnp.sum(params["w"]), (carry + jax.random.uniform(key), {})

    params, batch = problem
    key = jax.random.key(3)
    _, total, _ = gradients(noisy, params, 0.0, batch, key, accumulate=2)
    expected = sum(float(jax.random.uniform(k)) for k in jax.random.split(key, 2))
    np.testing.assert_allclose(total, expected, rtol=1e-6)


def test_parts_take_every_so_many_samples():
    def first(params, carry, batch, key):
        del key
        return params * 1.0, (jnp.concatenate([carry[4:], batch["x"]]), {})

    batch = {"x": jnp.arange(8.0)}
    _, seen, _ = gradients(first, 1.0, jnp.zeros(8), batch, jax.random.key(0), accumulate=2)
    np.testing.assert_array_equal(seen, [0, 2, 4, 6, 1, 3, 5, 7])


def test_number_of_parts_that_does_not_divide_the_batch_is_refused(problem):
    params, batch = problem
    with pytest.raises(OptionError, match=r"`accumulate` is 3; .* of the batch size 8"):
        gradients(loss, params, 0, batch, jax.random.key(0), accumulate=3)


def test_trainer_moves_its_own_network_alone(problem):
    params, batch = problem
    trainer = Trainer("a", optax.sgd(0.5))
    networks = {"a": {"params": params, "buffers": 1}, "b": {"params": params}}
    state = TrainState(
        step=jnp.int32(3),
        networks=networks,
        optimizers={"a": trainer.init(params), "b": "untouched"},
        averages={"a": "untouched"},
        extra={},
    )
    moved, seen, _ = trainer.update(state, loss, 0, batch, jax.random.key(0))
    grads, _, _ = gradients(loss, params, 0, batch, jax.random.key(0))
    np.testing.assert_allclose(
        moved.networks["a"]["params"]["w"], params["w"] - 0.5 * grads["w"], rtol=1e-5
    )
    assert moved.networks["a"]["buffers"] == 1
    assert moved.networks["b"] is networks["b"]
    assert (moved.step, moved.averages, seen) == (3, {"a": "untouched"}, 8)
    assert moved.optimizers["b"] == "untouched"


@pytest.mark.parametrize(("interval", "yields"), [(1, 0), (4, 0), (1, 16)])
def test_phase_runs_every_so_many_steps_on_average(interval, yields):
    phase = Phase("plain", print, interval=interval, yields=yields)
    runs = sum(phase.is_due(step, 0) for step in range(48))
    assert phase.every == pytest.approx(48 / runs)


@pytest.mark.parametrize(
    ("step", "images", "due"),
    [(0, 100, False), (4, 200, True), (5, 250, False), (8, 399, True), (8, 400, False)],
)
def test_phase_is_due_between_start_and_stop_at_its_interval(step, images, due):
    phase = Phase("lazy", print, interval=4, start=200, stop=400)
    assert phase.is_due(step, images) is due


@pytest.mark.parametrize(("step", "due"), [(0, False), (2, False), (3, True), (16, False)])
def test_phase_leaves_steps_to_another(step, due):
    assert Phase("plain", print, interval=3, yields=16).is_due(step, 0) is due


@pytest.mark.parametrize(("resolution", "shape"), [(64, (6, 8)), (512, (6, 8)), (1024, (4, 7))])
def test_grid_of_large_pictures_has_fewer(resolution, shape):
    assert grid_shape(resolution) == shape


def test_levels_become_floats_that_cover_minus_one_to_one():
    np.testing.assert_allclose(as_float(jnp.array([0, 255], jnp.uint8)), [-1, 1])


def test_floats_stay_as_they_are():
    image = jnp.array([-1.0, 0.25])
    assert as_float(image) is image


def test_columns_put_the_pictures_of_a_sample_side_by_side():
    one = jnp.arange(5.0).reshape(5, 1, 1, 1)
    table = columns(one, one + 10, pairs=2)
    np.testing.assert_array_equal(table[..., 0, 0, 0], [[0, 10, 1, 11], [2, 12, 3, 13]])


def rates(decay):
    """The size of a step by images seen, 4 a step, of a constant slope once RAdam has settled."""
    params = {"x": jnp.zeros(2)}
    optimizer = decaying_ranger(0.5, decay, 4)
    state = optimizer.init(params)
    steps = []
    for _ in range(12):
        updates, state = optimizer.update({"x": jnp.array([1.0, -1.0])}, state, params)
        steps.append(float(jnp.abs(updates["x"][0])))
    return steps


def test_decaying_ranger_stops_at_the_end_of_the_decay():
    constant, decaying = rates(()), rates((16, 32))
    assert decaying[:5] == constant[:5]
    assert constant[8] > 0
    assert decaying[8] == 0


@pytest.mark.parametrize("decay", [(5,), (8, 8), (8, 4), (-1, 4), (1, 2, 3)])
def test_decaying_ranger_refuses_what_is_no_interval(decay):
    with pytest.raises(OptionError, match="required are two rising counts"):
        decaying_ranger(0.5, decay, 4)
