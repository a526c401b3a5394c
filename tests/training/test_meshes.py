"""Where a run's arrays lie changes nothing of what it computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from sfe_jax.parallel.mesh import batch_sharding, global_batch, make_mesh, needs_blocking
from tests.training import games, toys
from tests.training.games import plain_descent
from tests.training.toys import one_device

BATCH, STEPS = 32, 2

MESHES = {"data 8": {"data": 8}, "data 4 x model 2": {"data": 4, "model": 2}}


@pytest.fixture(scope="module")
def method():
    """All four phases run in step 0, two of them in step 1."""
    with plain_descent():
        return games.game(batch_size=BATCH, mixing=0.5)


def _play(method, mesh):
    """States and scalars after each step; the first is that before."""
    programs = games.programs(method, mesh)
    state, history = programs.init(), []
    history.append((jax.device_get(state), {}))
    for step in range(STEPS):
        batch = global_batch(mesh, games.pictures(BATCH, seed=step))
        state, scalars = programs.step(state, {}, batch, step=step, images=step * BATCH)
        if needs_blocking(mesh):
            jax.block_until_ready(state)
        history.append((jax.device_get(state), jax.device_get(scalars)))
    return history, jax.tree.map(lambda x: x.sharding, state)


@pytest.fixture(scope="module")
def alone(method):
    """What one device computes."""
    with plain_descent():
        return _play(method, one_device())[0]


@pytest.fixture(scope="module", params=MESHES, ids=str)
def shared(request, method):
    """What eight devices compute, and where it lies."""
    with plain_descent():
        return *_play(method, make_mesh(**MESHES[request.param])), request.param


def _assert_near(one, other):
    # Sums over samples and channels are taken in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), one, other)


def test_networks_are_born_the_same(alone, shared):
    _assert_near(shared[0][0], alone[0])


def test_losses_are_those_of_one_device(alone, shared):
    for (_, found), (_, expected) in zip(shared[0][1:], alone[1:], strict=True):
        assert found.keys() == expected.keys()
        _assert_near(found, expected)


def test_first_step_takes_every_phase(alone):
    names = {"loss/generator", "loss/path_length", "loss/discriminator", "loss/r1"}
    assert names <= alone[1][1].keys()


def test_networks_and_averages_are_those_of_one_device(alone, shared):
    for (found, _), (expected, _) in zip(shared[0], alone, strict=True):
        _assert_near(found, expected)


def test_networks_move_by_more_than_the_tolerance(alone):
    before, after = (alone[step][0].networks for step in (0, STEPS))
    for role in ("generator", "discriminator"):
        moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), before[role], after[role])
        assert max(jax.tree.leaves(moved)) > 1e-3


def test_kernels_their_moments_and_averages_are_divided_along_model(shared):
    _, places, name = shared
    divided = PartitionSpec(None, None, None, "model")
    for tree in (places.networks, places.averages):
        kernel = tree["generator"]["params"]["synthesis"]["b8"]["conv1"]["kernel"]
        assert kernel.spec == divided
        # Along `data` they are whole.
        assert kernel.num_devices == 8
        parts = MESHES[name].get("model", 1)
        assert kernel.shard_shape((3, 3, 8, 4)) == (3, 3, 8, 4 // parts)


# The toy's draws, one device's and eight devices'.


@pytest.mark.parametrize("sizes", MESHES.values(), ids=MESHES)
def test_random_numbers_do_not_depend_on_the_mesh(sizes):
    def draw(key, batch):
        return jax.random.normal(key, batch.shape), jax.random.permutation(key, batch)

    key, batch = jax.random.key(1), np.arange(64, dtype=np.float32).reshape(16, 4)
    mesh = make_mesh(**sizes)
    spread = batch_sharding(mesh)
    found = jax.jit(draw, out_shardings=spread)(key, jax.device_put(batch, spread))
    jax.tree.map(np.testing.assert_array_equal, found, jax.jit(draw)(key, batch))


@pytest.mark.parametrize("sizes", MESHES.values(), ids=MESHES)
def test_whole_run_of_eight_devices_is_that_of_one(tmp_path, sizes):
    recipe = toys.toy_recipe(total=6, log=2, evaluate=3)
    toys.run(tmp_path / "one", recipe)
    toys.run(tmp_path / "eight", recipe, mesh=make_mesh(**sizes))
    found, expected = (toys.values(tmp_path / name) for name in ("eight", "one"))
    assert found.keys() == expected.keys() == {2, 3, 4, 6}
    for step, line in expected.items():
        assert found[step] == pytest.approx(line, rel=1e-5)
    _assert_near(toys.released(tmp_path / "eight"), toys.released(tmp_path / "one"))


def test_batch_statistics_are_of_the_batch_of_all_devices():
    def spread(batch):
        return jnp.var(batch, axis=0)

    mesh = make_mesh()
    batch = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
    placed = global_batch(mesh, {"x": batch})["x"]
    np.testing.assert_allclose(jax.jit(spread)(placed), batch.var(axis=0), rtol=1e-5)
