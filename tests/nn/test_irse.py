import jax
import jax.numpy as jnp
import pytest

from sfe_jax.nn.irse import DEPTHS, WIDTHS, IRBody, unit_plan
from tests.compiling import jit
from tests.nn.drawing import assert_near, draw, variables_of
from tests.reference import residual

SIZES = {"fine": (2, 64, 64, 128), "middle": (2, 32, 32, 256), "coarse": (2, 16, 16, 512)}


@pytest.mark.parametrize(
    ("depth", "units", "projected"),
    [(50, 24, [3, 7, 21]), (100, 49, [3, 16, 46]), (152, 50, [3, 11, 47])],
)
def test_plan_projects_where_channels_change(depth, units, projected):
    plan = unit_plan(DEPTHS[depth], WIDTHS)
    assert (len(plan), [i for i, unit in enumerate(plan) if unit[2]]) == (units, projected)


def test_plan_halves_resolution_at_first_unit_of_stage():
    strides = [stride for _, stride, _ in unit_plan(DEPTHS[50], WIDTHS)]
    assert [i for i, stride in enumerate(strides) if stride == 2] == [0, 3, 7, 21]


@pytest.mark.parametrize("name", SIZES)
def test_feature_has_published_size_for_pictures_of_256(name):
    images = jax.ShapeDtypeStruct((2, 256, 256, 3), jnp.float32)
    outputs, _ = jax.eval_shape(IRBody().init_with_output, jax.random.key(0), images)
    assert outputs[name].shape == SIZES[name]


@pytest.mark.parametrize("squeeze_excitation", [True, False])
def test_body_equals_definition(squeeze_excitation):
    module, x = IRBody((1, 2, 1, 1), (4, 4, 6, 8), squeeze_excitation), draw(1, 16, 16, 3)
    variables = variables_of(module, x)
    outputs = jit(module.apply)(variables, x)
    strides = (2, 2, 1, 2, 2)
    ends = residual.body(x, variables["params"], variables["batch_stats"], strides)[2:]
    for name, expected in zip(("fine", "middle", "coarse"), ends, strict=True):
        assert_near(outputs[name], expected, tolerance=3e-5)
