"""The encoders of pSp and e4e, on pictures of 32x32 and bodies of one narrow unit per stage."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.models.e4e import E4eEncoder
from sfe_jax.models.psp import GradualStyleEncoder, WEncoder, WPlusEncoder
from sfe_jax.models.pyramid import StyleHead
from sfe_jax.pipelines.random_bundle import random_variables
from tests.compiling import jit
from tests.models.networks import as_float64, assert_near, draw
from tests.nn.drawing import variables_of
from tests.reference import encoders as reference

IMAGES = draw(2, 32, 32, 3)
ROWS = 9  # Two of them read the finest features.
FIELDS = {"w_dim": 8, "input_size": 32, "depths": (1, 1, 1, 1), "widths": (4, 5, 6, 7)}


@cache
def encoder(cls, **fields):
    module = cls(**FIELDS, **fields)
    return module, random_variables(module, np.random.default_rng(0))


@cache
def _program(cls, rows):
    module, variables = encoder(cls, **({"num_styles": rows} if rows else {}))
    return jit(lambda images, options: module.apply(variables, images, **options))


def encode(cls, rows=None, **options):
    return np.asarray(_program(cls, rows)(IMAGES, options))


def variables_in_float64(cls, **fields):
    return as_float64(encoder(cls, **fields)[1])


# pSp.


def test_gradual_styles_equal_definition():
    variables = variables_in_float64(GradualStyleEncoder, num_styles=ROWS)
    expected = reference.pyramid(IMAGES, variables) + variables["buffers"]["w_avg"]
    assert_near(encode(GradualStyleEncoder, ROWS), expected, tolerance=3e-5)


def test_w_encoder_equals_definition():
    expected = reference.w_encoder(IMAGES, variables_in_float64(WEncoder))
    assert_near(encode(WEncoder), expected, tolerance=3e-5)


def test_w_plus_encoder_equals_definition():
    variables = variables_in_float64(WPlusEncoder, num_styles=ROWS)
    expected = reference.w_plus_encoder(IMAGES, variables)
    assert_near(encode(WPlusEncoder, ROWS), expected, tolerance=3e-5)


def test_style_head_has_a_convolution_per_halving():
    params = variables_of(StyleHead(4), jnp.zeros((1, 16, 16, 4)))["params"]
    assert sorted(params) == ["conv0", "conv1", "conv2", "conv3", "dense"]


def test_style_head_has_slope_of_hundredth():
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1)
    dense = {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)}
    variables = {"params": {"conv0": {"kernel": kernel, "bias": jnp.zeros(1)}, "dense": dense}}
    y = StyleHead(1).apply(variables, -jnp.ones((1, 2, 2, 1)))
    np.testing.assert_allclose(y, -0.01, rtol=1e-6)


def test_pyramid_reads_cars_of_192_by_256():
    module, key = GradualStyleEncoder(num_styles=16), jax.random.key(0)
    images = jax.ShapeDtypeStruct((1, 192, 256, 3), jnp.float32)
    output, _ = jax.eval_shape(module.init_with_output, key, images)
    assert output.shape == (1, 16, 512)


def test_training_of_encoder_updates_statistics():
    module, variables = encoder(GradualStyleEncoder, num_styles=ROWS)
    run = jit(lambda v: module.apply(v, IMAGES, train=True, mutable=["batch_stats"])[1])
    name = ("pyramid", "body", "stem", "norm", "mean")
    before, after = variables["batch_stats"], run(variables)["batch_stats"]
    for key in name:
        before, after = before[key], after[key]
    assert np.abs(before - after).max() > 1e-3


# e4e.


def test_e4e_adds_offsets_to_first_style():
    variables = variables_in_float64(E4eEncoder, num_styles=ROWS)
    styles = reference.pyramid(IMAGES, variables)
    styles[:, 1:] += styles[:, :1]
    expected = styles + variables["buffers"]["w_avg"]
    assert_near(encode(E4eEncoder, ROWS), expected, tolerance=3e-5)


def test_e4e_of_cars_reads_its_rows_alone():
    """Rows 4 to 27 of 32, as the original's 32 to 223 of 256."""
    module, variables = encoder(E4eEncoder, num_styles=ROWS, rows=(4, 28))
    whole, _ = encoder(E4eEncoder, num_styles=ROWS)
    found = jit(module.apply)(variables, jnp.asarray(IMAGES))
    assert_near(found, jit(whole.apply)(variables, jnp.asarray(IMAGES[:, 4:28])))


def offsets(**options):
    """Codes without the average that is added to each row."""
    average = encoder(E4eEncoder, num_styles=ROWS)[1]["buffers"]["w_avg"]
    return encode(E4eEncoder, ROWS, **options) - np.asarray(average)


def test_e4e_has_one_code_at_stage_zero():
    rows = offsets(stage=0)
    assert_near(rows, np.repeat(rows[:, :1], ROWS, axis=1))


def test_e4e_has_first_code_beyond_its_stage():
    rows = offsets(stage=4)
    assert_near(rows[:, 5:], np.repeat(rows[:, :1], ROWS - 5, axis=1))


def test_e4e_has_final_codes_up_to_its_stage():
    assert_near(offsets(stage=4)[:, :5], offsets()[:, :5])


@pytest.mark.parametrize("stage", [ROWS - 1, ROWS])
def test_e4e_has_final_codes_at_last_stage(stage):
    assert_near(offsets(stage=stage), offsets())


def test_e4e_accepts_static_stage():
    module, variables = encoder(E4eEncoder, num_styles=ROWS)
    rows = jit(lambda: module.apply(variables, IMAGES, stage=2))()
    assert_near(rows, encode(E4eEncoder, ROWS, stage=2))
