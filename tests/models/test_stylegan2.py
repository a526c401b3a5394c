from functools import cache

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.models.stylegan2 import SynthesisState, blend_feature
from tests.compiling import jit
from tests.models.networks import NUM_WS, C, W, Z, assert_near, draw, generator, part
from tests.reference import stylegan2 as reference

WS = draw(2, NUM_WS, W)
FEATURE = draw(2, 8, 8, 5, seed=1)  # In place of b8.conv1 or b8.conv0.


@cache
def _program(fields, options):
    module, variables = generator(**dict(fields))

    @jit
    def run(key, ws, arrays):
        rngs = None if key is None else {"noise": key}
        return module.apply(
            variables, ws, **arrays, **dict(options), method="synthesize", rngs=rngs
        )

    return run


def synthesize(ws=WS, *, key=None, fields=(), noise_mode="const", stop_at=None, **arrays):
    """Output of the small generator; programs of equal options are compiled once."""
    options = {"noise_mode": noise_mode, "stop_at": stop_at}
    if isinstance(arrays.get("strength"), float):
        options["strength"] = arrays.pop("strength")
    return _program(tuple(dict(fields).items()), tuple(options.items()))(key, ws, arrays)


def refuse(match, ws=WS, **options):
    """Asserts that a call is refused, by shapes alone."""
    module, variables = generator()
    with pytest.raises(ShapeError, match=match):
        jax.eval_shape(lambda: module.apply(variables, ws, **options, method="synthesize"))


# The whole.


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_picture_equals_definition(architecture):
    fields = {"architecture": architecture}
    variables = part(generator(**fields)[1], "synthesis")
    expected = reference.synthesis(WS.astype(np.float64), variables, 3)
    assert_near(synthesize(fields=fields)["image"], expected)


@pytest.mark.parametrize("channels", [(6,), (4, 4, 4, 4)], ids=["4", "32"])
def test_picture_equals_definition_at_resolution(channels):
    fields, ws = {"channels": channels}, draw(1, 2 * len(channels), W)
    variables = part(generator(**fields)[1], "synthesis")
    expected = reference.synthesis(ws.astype(np.float64), variables, len(channels))
    assert_near(synthesize(ws, fields=fields)["image"], expected)


def test_generator_equals_mapping_then_synthesis():
    module, variables = generator(c_dim=C)
    z, c = draw(2, Z), draw(2, C, seed=1)
    ws = module.apply(variables, z, c, psi=0.7, cutoff=3, method="map")
    image = jit(lambda: module.apply(variables, z, c, psi=0.7, cutoff=3))()
    assert_near(image, synthesize(ws, fields={"c_dim": C})["image"])


def test_features_are_those_of_every_convolution():
    names = ["b4.const", "b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    module, variables = generator()
    out = jax.eval_shape(lambda: module.apply(variables, WS, method="synthesize"))
    assert sorted(out["features"]) == sorted(names)


def test_features_have_shapes_of_layer_table():
    module, variables = generator()
    out = jax.eval_shape(lambda: module.apply(variables, WS, method="synthesize"))
    for layer in module.layers:
        if layer.kind == "conv":
            size = (2, layer.resolution, layer.resolution, layer.channels)
            assert out["features"][layer.name].shape == size


def test_clamp_bounds_features():
    features = synthesize(fields={"conv_clamp": 0.25})["features"]
    assert float(jnp.abs(features["b16.conv1"]).max()) == 0.25


# StyleSpace.


@cache
def all_styles():
    module, variables = generator()
    return jit(lambda: module.apply(variables, WS, method="styles"))()


def test_styles_have_channels_of_layer_table():
    sizes = {layer.name: (2, layer.in_channels) for layer in generator()[0].layers}
    assert {name: style.shape for name, style in all_styles().items()} == sizes


def test_styles_give_same_picture_as_their_codes():
    assert_near(synthesize(None, styles=all_styles())["image"], synthesize()["image"])


def test_style_of_layer_reads_its_row_alone():
    module, variables = generator()
    row = next(layer.row for layer in module.layers if layer.name == "b8.conv1")
    ws = np.array(WS)
    ws[:, np.arange(NUM_WS) != row] = 0
    styles = module.apply(variables, ws, method="styles")
    assert_near(styles["b8.conv1"], all_styles()["b8.conv1"])


# Stopping and going on.


@pytest.mark.parametrize(
    ("resolution", "architecture"), [(4, "skip"), (8, "skip"), (8, "resnet"), (8, "orig")]
)
def test_going_on_after_stop_equals_one_pass(resolution, architecture):
    fields = {"architecture": architecture}
    lower = synthesize(fields=fields, stop_at=resolution)
    start = SynthesisState(lower["features"][f"b{resolution}.conv1"], lower["image"])
    assert_near(synthesize(fields=fields, start=start)["image"], synthesize(fields=fields)["image"])


def test_stop_gives_picture_of_its_resolution():
    assert synthesize(stop_at=8)["image"].shape == (2, 8, 8, 3)


def test_stop_gives_features_up_to_its_resolution():
    assert "b16.conv0" not in synthesize(stop_at=8)["features"]


def test_stop_before_only_torgb_gives_no_picture():
    assert synthesize(fields={"architecture": "orig"}, stop_at=8)["image"] is None


def test_replacing_at_start_equals_replacing_in_one_pass():
    lower, replace = synthesize(stop_at=8), {"b8.conv1": FEATURE}
    start = SynthesisState(lower["features"]["b8.conv1"], lower["image"])
    image = synthesize(start=start, replace=replace)["image"]
    assert_near(image, synthesize(replace=replace)["image"])


# Replaced features.


@pytest.mark.parametrize("name", ["b4.const", "b4.conv1", "b8.conv0", "b8.conv1"])
def test_replacing_feature_by_itself_changes_nothing(name):
    own = synthesize()
    replaced = synthesize(replace={name: own["features"][name]})
    assert_near(replaced["image"], own["image"])


def test_replacing_changes_picture():
    image = synthesize(replace={"b8.conv1": FEATURE})["image"]
    assert float(jnp.abs(image - synthesize()["image"]).max()) > 0.1


def test_torgb_of_replaced_block_reads_original():
    out = synthesize(replace={"b8.conv1": FEATURE}, stop_at=8)
    np.testing.assert_array_equal(out["image"], synthesize(stop_at=8)["image"])


def test_features_hold_originals_where_replaced():
    out = synthesize(replace={"b8.conv1": FEATURE})
    assert_near(out["features"]["b8.conv1"], synthesize()["features"]["b8.conv1"])


def test_next_convolution_reads_replaced_feature():
    out = synthesize(replace={"b8.conv0": FEATURE}, stop_at=8)
    own = synthesize(stop_at=8)
    assert float(jnp.abs(out["features"]["b8.conv1"] - own["features"]["b8.conv1"]).max()) > 0.1


def test_strength_zero_keeps_own_feature():
    image = synthesize(replace={"b8.conv1": FEATURE}, strength=0.0)["image"]
    assert_near(image, synthesize()["image"])


def test_traced_strength_one_equals_replacement():
    replace = {"b8.conv1": FEATURE}
    image = synthesize(replace=replace, strength=jnp.float32(1))["image"]
    assert_near(image, synthesize(replace=replace)["image"])


def test_strength_between_equals_replacement_by_mixture():
    own = synthesize()["features"]["b8.conv1"]
    image = synthesize(replace={"b8.conv1": FEATURE}, strength=jnp.float32(0.4))["image"]
    mixture = {"b8.conv1": 0.6 * own + 0.4 * FEATURE}
    assert_near(image, synthesize(replace=mixture)["image"])


def test_blend_is_linear_in_strength():
    own, feature = draw(1, 2, 2, 3), draw(1, 2, 2, 3, seed=1)
    blended = blend_feature(jnp.asarray(own), jnp.asarray(feature), strength=0.4)
    np.testing.assert_allclose(blended, 0.6 * own + 0.4 * feature, atol=1e-6)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_blend_keeps_dtype_of_own_feature(strength):
    own = jnp.zeros((1, 2, 2, 3), jnp.bfloat16)
    assert blend_feature(own, jnp.ones((1, 2, 2, 3)), strength=strength).dtype == jnp.bfloat16


# Noise.


def test_constant_noise_is_added_by_its_strength():
    layer, row = part(generator()[1], "synthesis"), WS[:, 0].astype(np.float64)
    x = np.repeat(layer["params"]["b4"]["const"][None], 2, axis=0)
    noise = layer["buffers"]["b4"]["conv1"]["noise_const"]
    expected = reference.styled_conv(x, row, layer["params"]["b4"]["conv1"], noise, "none")
    assert_near(synthesize(stop_at=4)["features"]["b4.conv1"], expected)


def test_no_noise_equals_constant_noise_of_zero():
    layer, row = part(generator()[1], "synthesis"), WS[:, 0].astype(np.float64)
    x = np.repeat(layer["params"]["b4"]["const"][None], 2, axis=0)
    params = layer["params"]["b4"]["conv1"]
    expected = reference.styled_conv(x, row, params, np.zeros((4, 4)), "none")
    out = synthesize(stop_at=4, noise_mode="none")
    assert_near(out["features"]["b4.conv1"], expected)


def test_generator_without_noise_has_neither_strength_nor_constant():
    _, variables = generator(use_noise=False)
    assert list(variables["buffers"]) == ["mapping"]


def random_image(seed):
    twice = np.repeat(WS[:1], 2, axis=0)
    out = synthesize(twice, key=jax.random.key(seed), noise_mode="random", stop_at=4)
    return np.asarray(out["image"])


def test_random_noise_needs_its_key():
    with pytest.raises(flax.errors.InvalidRngError, match="noise"):
        synthesize(noise_mode="random")


def test_random_noise_is_same_for_same_key():
    np.testing.assert_array_equal(random_image(0), random_image(0))


def test_random_noise_differs_for_other_key():
    assert np.abs(random_image(0) - random_image(1)).max() > 1e-3


def test_random_noise_differs_between_samples():
    first, second = random_image(0)
    assert np.abs(first - second).max() > 1e-3


# Precision.


def test_bfloat16_picture_is_near_float32():
    image = synthesize(fields={"precision": "bfloat16"})["image"]
    assert_near(image, synthesize()["image"], tolerance=0.03)  # Eight bits, five layers.


def test_bfloat16_keeps_features_in_bfloat16_and_picture_in_float32():
    out = synthesize(fields={"precision": "bfloat16"})
    assert (out["features"]["b8.conv1"].dtype, out["image"].dtype) == (jnp.bfloat16, jnp.float32)


# Refusals.


@pytest.mark.parametrize(
    "shape", [(2, NUM_WS - 1, W), (2, NUM_WS, W + 1), (2, W)], ids=["rows", "size", "axes"]
)
def test_synthesis_refuses_codes_of_other_shape(shape):
    refuse(r"`ws` has shape .*required is \(any, 6, 8\)", ws=np.zeros(shape, np.float32))


def test_synthesis_refuses_neither_codes_nor_styles():
    refuse("`ws` is None; required is W\\+ or `styles`", ws=None)


def test_synthesis_refuses_unknown_feature_and_names_the_known():
    refuse("names 'b8.torgb'; known features: b4.const, b4.conv1", replace={"b8.torgb": FEATURE})


def test_synthesis_refuses_feature_of_other_shape():
    refuse("`feature` has shape", replace={"b8.conv1": FEATURE[:, :4]})


@pytest.mark.parametrize("resolution", [0, 2, 12, 32])
def test_synthesis_refuses_unknown_resolution(resolution):
    refuse(rf"`stop_at` is {resolution}; required is one of \[4, 8, 16\]", stop_at=resolution)


def test_synthesis_refuses_stop_behind_start():
    start = SynthesisState(jnp.asarray(FEATURE), jnp.zeros((2, 8, 8, 3)))
    refuse(r"`stop_at` is 8; required is one of \[16\]", start=start, stop_at=8)


def test_synthesis_refuses_start_of_unknown_resolution():
    refuse("`start` has resolution 6", start=SynthesisState(jnp.zeros((2, 6, 6, 5)), None))


def test_synthesis_refuses_styles_without_a_layer():
    styles = dict(all_styles())
    del styles["b8.conv0"]
    refuse("`styles` lacks 'b8.conv0'", ws=None, styles=styles)
