import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.nn.residual import BatchNorm, Conv, Dense, PReLU, ResidualUnit, SqueezeExcitation, Stem
from tests.compiling import jit
from tests.nn.drawing import assert_near, draw, variables_of
from tests.reference import convolution, residual

UNITS = {
    "ir_subsampled": (3, {"stride": 2, "middle_norm": False}),
    "ir_projected": (5, {"stride": 2, "project": True, "middle_norm": False}),
    "ir_se": (3, {"middle_norm": False, "squeeze_excitation": True}),
    "iresnet": (3, {}),
    "iresnet_projected_same_size": (5, {"project": True}),
    "iresnet_projected_same_channels": (3, {"stride": 2, "project": True}),
}
X = draw(2, 7, 6, 3)  # Odd height: strides round up.


@pytest.mark.parametrize("name", UNITS)
def test_unit_equals_definition(name):
    features, options = UNITS[name]
    module = ResidualUnit(features, **options)
    variables = variables_of(module, X)
    stats, stride = variables["batch_stats"], options.get("stride", 1)
    expected = residual.unit(X, variables["params"], stats, stride)
    assert_near(jit(module.apply)(variables, X), expected)


def test_unit_without_projection_has_no_shortcut_weights():
    assert list(variables_of(ResidualUnit(3, stride=2), X)["params"]) == ["branch"]


def test_unit_refuses_to_change_channels_without_projection():
    with pytest.raises(TypeError):
        variables_of(ResidualUnit(5), X)


def test_stem_equals_definition():
    module = Stem(4)
    variables = variables_of(module, X)
    expected = residual.stem(X, variables["params"], variables["batch_stats"])
    assert_near(module.apply(variables, X), expected)


@pytest.mark.parametrize(
    ("module", "shape", "fan_in"),
    [(Conv(64, use_bias=True), (1, 4, 4, 8), 72), (Dense(64), (1, 50), 50)],
)
def test_kernel_and_bias_begin_as_those_of_pytorch(module, shape, fan_in):
    params = jit(module.init)(jax.random.key(0), jnp.zeros(shape))["params"]
    bound = 1 / np.sqrt(fan_in)
    for drawn in jax.tree.leaves(params):
        assert np.abs(drawn).max() <= bound
        # 64 biases at the least, of deviation bound / sqrt(3).
        np.testing.assert_allclose(np.std(drawn), bound / np.sqrt(3), rtol=0.2)


@pytest.mark.parametrize("stride", [1, 2])
def test_conv_equals_definition(stride):
    module = Conv(4, stride=stride, use_bias=True)
    variables = variables_of(module, X)
    params = variables["params"]
    expected = convolution.same(X, params["kernel"], stride) + params["bias"]
    assert_near(module.apply(variables, X), expected)


def test_dense_is_not_equalized():
    module, x = Dense(4), draw(2, 3)
    variables = variables_of(module, x)
    linear = variables["params"]["linear"]
    assert_near(module.apply(variables, x), x @ linear["kernel"] + linear["bias"])


def test_squeeze_excitation_equals_definition():
    module, x = SqueezeExcitation(reduction=2), draw(2, 3, 3, 4)
    variables = variables_of(module, x)
    expected = residual.squeeze_excitation(x, variables["params"])
    assert_near(module.apply(variables, x), expected)


def test_squeeze_excitation_keeps_a_hidden_channel_when_narrow():
    params = variables_of(SqueezeExcitation(), draw(1, 2, 2, 8))["params"]
    assert params["reduce"]["kernel"].shape == (1, 1, 8, 1)


# PReLU.


def test_prelu_equals_definition():
    variables = variables_of(PReLU(), X)
    assert_near(PReLU().apply(variables, X), residual.prelu(X, variables["params"]))


def test_prelu_begins_with_slope_of_quarter():
    assert float(PReLU().init_with_output(jax.random.key(0), -jnp.ones((1, 1)))[0][0, 0]) == -0.25


def test_prelu_has_its_slope_at_zero():
    variables = {"params": {"slope": jnp.array([0.3, -2.0])}}
    gradient = jax.grad(lambda x: jnp.sum(PReLU().apply(variables, x)))(jnp.zeros((1, 2)))
    np.testing.assert_allclose(gradient, [[0.3, -2.0]], rtol=1e-6)


def test_prelu_slope_has_no_gradient_at_zero():
    def total(slope):
        return jnp.sum(PReLU().apply({"params": {"slope": slope}}, jnp.zeros((1, 2))))

    np.testing.assert_array_equal(jax.grad(total)(jnp.ones(2)), 0)


# Batch normalisation.


def train(x):
    module = BatchNorm(use_running_average=False)
    variables = variables_of(module, x)
    y, updated = module.apply(variables, x, mutable=["batch_stats"])
    return variables, y, updated["batch_stats"]


@pytest.mark.parametrize(("name", "statistic"), [("mean", np.mean), ("var", np.var)])
def test_training_moves_statistics_a_tenth_towards_batch(name, statistic):
    before, _, after = train(X)
    expected = 0.9 * before["batch_stats"][name] + 0.1 * statistic(X, axis=(0, 1, 2))
    assert_near(after[name], expected)


def test_training_normalises_by_batch():
    variables, y, _ = train(X)
    stats = {"mean": X.mean(axis=(0, 1, 2)), "var": X.var(axis=(0, 1, 2))}
    assert_near(y, residual.batch_norm(X, variables["params"], stats))


def test_training_of_unit_updates_every_norm():
    module = ResidualUnit(5, project=True)
    variables = variables_of(module, X)
    _, updated = module.apply(variables, X, train=True, mutable=["batch_stats"])
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max() > 0, variables, variables | updated)
    assert all(jax.tree.leaves(moved["batch_stats"]))


def test_inference_of_unit_leaves_statistics():
    module = ResidualUnit(5, project=True)
    variables = variables_of(module, X)
    _, updated = module.apply(variables, X, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, variables["batch_stats"], updated["batch_stats"])


def test_unit_keeps_bfloat16():
    module, x = ResidualUnit(5, project=True, squeeze_excitation=True), jnp.asarray(X, jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):  # Flax's norm mixes types before its cast.
        shape = jax.eval_shape(module.init_with_output, jax.random.key(0), x)[0]
    assert shape.dtype == jnp.bfloat16
