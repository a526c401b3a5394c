import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from sfe_jax.core.errors import OptionError, ShapeError
from sfe_jax.parallel.mesh import (
    _data_shards,
    batch_sharding,
    data_shard,
    global_batch,
    make_mesh,
    needs_blocking,
    on_mesh,
    replicated,
    spread,
    whole_shares,
)


def test_mesh_takes_every_device_by_default():
    mesh = make_mesh()
    assert dict(mesh.shape) == {"data": 8, "model": 1}
    assert set(mesh.axis_types) == {AxisType.Auto}


@pytest.mark.parametrize(("data", "model"), [(-1, 2), (4, -1), (4, 2)])
def test_minus_one_takes_what_is_left(data, model):
    assert make_mesh(data=data, model=model).devices.shape == (4, 2)


def test_mesh_uses_the_devices_it_is_given():
    assert make_mesh(devices=jax.devices()[:1]).devices.tolist() == [[jax.devices()[0]]]


@pytest.mark.parametrize(
    ("data", "model"), [(-1, 3), (3, -1), (2, 2), (-1, -1), (-1, 0), (0, -1), (-2, -4), (16, -1)]
)
def test_sizes_that_do_not_make_up_the_devices_are_refused(data, model):
    with pytest.raises(OptionError, match=f"`data` is {data} and `model` is {model}; .* of 8"):
        make_mesh(data=data, model=model)


def test_two_unknown_sizes_are_refused_for_one_device():
    with pytest.raises(OptionError, match="one of them"):
        make_mesh(data=-1, model=-1, devices=jax.devices()[:1])


def test_replicated_puts_the_whole_array_on_every_device():
    array = jax.device_put(np.arange(6), replicated(make_mesh()))
    assert len(array.addressable_shards) == 8
    assert all(shard.data.shape == (6,) for shard in array.addressable_shards)


def test_global_batch_divides_samples_along_data():
    mesh = make_mesh(model=2)
    image = np.arange(8 * 3, dtype=np.uint8).reshape(8, 3)
    batch = global_batch(mesh, {"image": image})
    assert batch["image"].sharding == batch_sharding(mesh)
    assert batch["image"].dtype == np.uint8
    np.testing.assert_array_equal(batch["image"], image)
    for shard in batch["image"].addressable_shards:
        row, _ = np.argwhere(mesh.devices == shard.device)[0]
        np.testing.assert_array_equal(shard.data, image[2 * row : 2 * row + 2])


@pytest.mark.parametrize("shape", [(6, 3), ()])
def test_batch_that_devices_cannot_share_is_refused(shape):
    with pytest.raises(ShapeError, match=r"`image` of the batch has shape .* 8 devices"):
        global_batch(make_mesh(), {"image": np.zeros(shape)})


def test_one_process_reads_all_data():
    assert data_shard(make_mesh(model=2)) == (0, 1)


def test_each_process_reads_its_own_part_where_model_lies_within_it():
    processes = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])
    assert _data_shards(processes) == {0: (0, 2), 1: (1, 2)}


def test_processes_that_model_spans_read_the_same_part():
    processes = np.array([[0, 1], [2, 3]])
    assert _data_shards(processes) == {0: (0, 2), 1: (0, 2), 2: (1, 2), 3: (1, 2)}


def test_processes_that_overlap_in_part_are_refused():
    with pytest.raises(OptionError, match="share parts of the axis `data` of 3"):
        _data_shards(np.array([[0, 0], [0, 1], [1, 1]]))


@pytest.mark.parametrize(
    ("version", "devices", "needed"),
    [((0, 10, 2), 8, True), ((0, 11, 2), 2, True), ((0, 10, 2), 1, False), ((0, 12, 0), 8, False)],
)
def test_blocking_is_needed_on_several_cpu_devices_before_jax_0_12(
    monkeypatch, version, devices, needed
):
    mesh = make_mesh(devices=jax.devices()[:devices])
    monkeypatch.setattr(jax, "__version_info__", version)
    assert needs_blocking(mesh) is needed


def test_draws_are_divided_along_data_on_a_mesh():
    mesh = make_mesh(data=4, model=2)

    def draw(x):
        with on_mesh(mesh):
            return spread(x + 1)

    out = jax.jit(draw)(jax.device_put(jnp.zeros((8, 3)), replicated(mesh)))
    assert out.sharding.shard_shape(out.shape) == (2, 3)


def test_draws_fewer_than_devices_are_divided_too():
    mesh = make_mesh(data=8)

    def draw(key):
        with on_mesh(mesh):
            x = spread(jax.random.normal(key, (4, 64, 64)))
            return jnp.mean(jnp.matmul(x, x))

    program = jax.jit(draw, out_shardings=replicated(mesh)).lower(jax.random.key(0)).compile()
    assert "f32[1,64,64]" in program.as_text()
    assert "f32[4,64,64]" not in program.as_text()


@pytest.mark.parametrize(("count", "shares"), [(1, 4), (4, 4), (5, 8)])
def test_whole_shares_are_the_next_multiple_of_data(count, shares):
    with on_mesh(make_mesh(data=4, model=2)):
        assert whole_shares(count) == shares


def test_whole_shares_are_the_count_where_no_mesh_is_known():
    assert whole_shares(5) == 5


def test_draws_stay_whole_where_no_mesh_is_known():
    x = jnp.zeros((8, 3))
    assert spread(x) is x
