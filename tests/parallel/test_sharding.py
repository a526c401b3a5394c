import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from sfe_jax.core.errors import OptionError
from sfe_jax.parallel.mesh import make_mesh, replicated
from sfe_jax.parallel.sharding import WIDE, born_sharded, shardings, with_shardings


def _parameters(key):
    """A convolution and a dense layer, both wide, and a narrow convolution."""
    return {
        "conv": {"kernel": jax.random.normal(key, (3, 3, 8, WIDE)), "bias": jnp.zeros(WIDE)},
        "dense": {"kernel": jax.random.normal(key, (8, WIDE))},
        "rgb": {"kernel": jnp.ones((1, 1, WIDE, 3))},
    }


def _state(key):
    """Parameters, with the state of an optimiser."""
    params = _parameters(key)
    return {"params": params, "optimizer": optax.adam(1e-3).init(params)}


def _shapes():
    return jax.eval_shape(_state, jax.random.key(0))


def test_wide_kernels_are_divided_by_output_channels():
    mesh = make_mesh(model=2)
    places = shardings(mesh, _shapes())["params"]
    assert places["conv"]["kernel"].spec == PartitionSpec(None, None, None, "model")
    assert places["dense"]["kernel"].spec == PartitionSpec(None, "model")


@pytest.mark.parametrize(("layer", "array"), [("conv", "bias"), ("rgb", "kernel")])
def test_narrow_arrays_and_vectors_are_replicated(layer, array):
    mesh = make_mesh(model=2)
    assert shardings(mesh, _shapes())["params"][layer][array] == replicated(mesh)


@pytest.mark.parametrize("width", [323, 406, 645])  # Of StyleGAN3.
def test_wide_kernels_of_odd_widths_are_replicated(width):
    mesh = make_mesh(model=4)
    (place,) = shardings(mesh, {"kernel": np.ones((1, 1, 2, width))}).values()
    assert place == replicated(mesh)


def test_moments_lie_where_their_parameters_lie():
    places = shardings(make_mesh(model=2), _shapes())
    adam = places["optimizer"][0]
    assert adam.mu == adam.nu == places["params"]
    assert adam.count.spec == PartitionSpec()


def test_first_rule_that_is_found_wins():
    rules = ((r"^conv/", PartitionSpec()), (r"kernel$", PartitionSpec(None, "model")))
    tree = {"conv": {"kernel": np.ones((2, 2))}, "fc": {"kernel": np.ones((2, 2))}}
    places = shardings(make_mesh(model=2), tree, rules=rules)
    assert places["conv"]["kernel"].spec == PartitionSpec()
    assert places["fc"]["kernel"].spec == PartitionSpec(None, "model")


def test_axis_that_the_mesh_does_not_divide_is_refused():
    rules = ((r"kernel$", PartitionSpec("data", "model")),)
    tree = {"fc": {"kernel": np.ones((8, 5))}}
    with pytest.raises(OptionError, match=r"fc/kernel has shape \(8, 5\).*axis 1 among 2"):
        shardings(make_mesh(model=2), tree, rules=rules)


def test_one_axis_divided_along_both_of_the_mesh_counts_all_its_devices():
    rules = ((r"kernel$", PartitionSpec(("data", "model"))),)
    with pytest.raises(OptionError, match="axis 0 among 8 devices"):
        shardings(make_mesh(model=2), {"kernel": np.ones(4)}, rules=rules)


def test_rule_with_more_axes_than_the_array_is_refused():
    rules = ((r"bias$", PartitionSpec(None, "model")),)
    with pytest.raises(OptionError, match=r"bias has shape \(4,\).*at least 2 axes"):
        shardings(make_mesh(model=2), {"bias": np.ones(4)}, rules=rules)


def test_rule_with_an_unknown_axis_is_refused():
    rules = ((r"bias$", PartitionSpec("expert")),)
    with pytest.raises(OptionError, match="'expert'; known are data, model"):
        shardings(make_mesh(), {"bias": np.ones(4)}, rules=rules)


def test_state_born_on_eight_devices_equals_that_of_one():
    key = jax.random.key(3)
    one = born_sharded(_state, key, mesh=make_mesh(devices=jax.devices()[:1]))
    eight = born_sharded(_state, key, mesh=make_mesh(data=2, model=4))
    jax.tree.map(np.testing.assert_array_equal, one, eight)


def test_device_holds_only_its_part_of_a_divided_array():
    state = born_sharded(_state, jax.random.key(3), mesh=make_mesh(data=2, model=4))
    shards = state["params"]["conv"]["kernel"].addressable_shards
    assert {shard.data.shape for shard in shards} == {(3, 3, 8, WIDE // 4)}


def test_shapes_join_with_their_shardings():
    mesh = make_mesh(model=2)
    template = with_shardings(_shapes(), shardings(mesh, _shapes()))
    kernel = template["params"]["conv"]["kernel"]
    assert kernel == jax.ShapeDtypeStruct(
        (3, 3, 8, WIDE),
        jnp.float32,
        sharding=NamedSharding(mesh, PartitionSpec(None, None, None, "model")),
    )


def test_one_sharding_holds_for_all_shapes():
    place = replicated(make_mesh())
    template = with_shardings(_shapes(), place)
    assert {leaf.sharding for leaf in jax.tree.leaves(template)} == {place}


def test_training_step_on_eight_devices_equals_that_of_one():
    def step(params, x):
        def loss(params):
            y = jax.lax.conv_general_dilated(
                x,
                params["conv"]["kernel"],
                (1, 1),
                "SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            return jnp.mean(jnp.square(y @ params["rgb"]["kernel"][0, 0]))

        return jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))

    x = np.random.default_rng(0).standard_normal((8, 4, 4, 8), np.float32)
    results = []
    for mesh in (make_mesh(devices=jax.devices()[:1]), make_mesh(data=4, model=2)):
        params = born_sharded(_parameters, jax.random.key(1), mesh=mesh)
        places = jax.tree.map(lambda p: p.sharding, params)
        batch = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
        results.append(jax.jit(step, out_shardings=places)(params, batch))
    # Sums over samples and channels are taken in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), *results)
