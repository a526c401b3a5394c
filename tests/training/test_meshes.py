"""Where a run's arrays lie changes nothing of what it computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from sfe_jax.parallel.mesh import batch_sharding, global_batch, make_mesh
from sfe_jax.training.loop import Programs
from tests.compiling import quick
from tests.training import games, toys
from tests.training.games import plain_descent

MESHES = {"data 8": {"data": 8}, "data 4 x model 2": {"data": 4, "model": 2}}


@pytest.fixture(scope="module", params=MESHES.items(), ids=MESHES)
def shared(request, gan, begun):
    """The turns of eight devices, where the state lies, and the sizes of the mesh."""
    _, sizes = request.param
    with plain_descent():
        return *games.play(gan, make_mesh(**sizes), state=begun), sizes


def _assert_near(one, other):
    # Sums over samples and channels are taken in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), one, other)


def test_two_steps_take_every_phase(turns):
    first = ["generator", "path_length", "discriminator", "r1", "average"]
    second = ["generator", "discriminator", "average"]
    assert [turn.phase for turn in turns] == first + second


def test_losses_of_eight_devices_are_those_of_one(turns, shared):
    for found, expected in zip(shared[0], turns, strict=True):
        _assert_near(found.scalars, expected.scalars)


def test_states_of_eight_devices_are_those_of_one(turns, shared):
    for found, expected in zip(shared[0], turns, strict=True):
        _assert_near(found.after, expected.after)


def test_networks_move_by_more_than_the_tolerance(turns):
    before, after = turns[0].before.networks, turns[-1].after.networks
    for role in ("generator", "discriminator"):
        moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), before[role], after[role])
        assert max(jax.tree.leaves(moved)) > 1e-3


def test_kernels_and_their_averages_are_divided_along_model(shared):
    _, places, sizes = shared
    for tree in (places.networks, places.averages):
        kernel = tree["generator"]["params"]["synthesis"]["b8"]["conv1"]["kernel"]
        assert kernel.spec == PartitionSpec(None, None, None, "model")
        # Along `data` they are whole.
        assert kernel.num_devices == 8
        assert kernel.shard_shape((3, 3, 4, 4)) == (3, 3, 4, 4 // sizes.get("model", 1))


def test_grids_of_eight_devices_are_those_of_one_and_their_work_is_shared(gan, begun):
    grids, work = [], []
    for mesh in (toys.one_device(), make_mesh()):
        programs = Programs(gan, mesh, rules=games.RULES, key=games.KEY)
        examples = global_batch(mesh, games.pictures(48))
        state = jax.tree.map(jax.device_put, begun, programs.places)
        with quick():
            compiled = programs.show.lower(state, {}, examples).compile()
        grids.append(jax.device_get(jax.block_until_ready(compiled(state, {}, examples))))
        work.append(compiled.cost_analysis()["flops"])
    _assert_near(*grids)
    assert work[1] < work[0] / 4


@pytest.mark.parametrize("sizes", MESHES.values(), ids=MESHES)
def test_random_numbers_do_not_depend_on_the_mesh(sizes):
    def draw(key, batch):
        return jax.random.bits(key, batch.shape), jax.random.permutation(key, batch)

    key, batch = jax.random.key(1), np.arange(64, dtype=np.float32).reshape(16, 4)
    mesh = make_mesh(**sizes)
    spread = batch_sharding(mesh)
    found = jax.jit(draw, out_shardings=spread)(key, jax.device_put(batch, spread))
    jax.tree.map(np.testing.assert_array_equal, found, jax.jit(draw)(key, batch))


def test_whole_run_of_eight_devices_in_two_parts_a_step_is_that_of_one(tmp_path):
    method = toys.ToyOptions(accumulate=2)
    recipe = toys.toy_recipe(total=6, log=2, evaluate=3, batch_size=16, method=method)
    toys.run(tmp_path / "one", recipe)
    toys.run(tmp_path / "eight", recipe, mesh=make_mesh(data=4, model=2))
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
