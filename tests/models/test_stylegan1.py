from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError, ShapeError
from sfe_jax.core.trees import flatten
from sfe_jax.edits.direction import Direction, Linear
from sfe_jax.edits.prepare import operands_for
from sfe_jax.models.stylegan1 import (
    FFHQ_CHANNELS,
    Generator,
    adain,
    adain_layers,
    upsample_convolve,
)
from sfe_jax.pipelines.bundle import abstract_variables
from sfe_jax.pipelines.methods import edited_styles
from tests.compiling import jit
from tests.models import networks
from tests.models.networks import CHANNELS, NUM_WS, C, W, Z, assert_near, draw, part
from tests.reference import convolution
from tests.reference import stylegan1 as reference

WS = draw(2, NUM_WS, W)
LABELS = np.eye(C, dtype=np.float32)[[0, 2]]


generator = partial(networks.generator, Generator)


@cache
def program(fields, options):
    module, variables = generator(**dict(fields))
    options = {"method": "synthesize", **dict(options)}
    return jit(lambda ws, arrays: module.apply(variables, ws, **arrays, **options))


def synthesize(ws=WS, fields=(), arrays=None, **options):
    run = program(tuple(dict(fields).items()), tuple(options.items()))
    return run(ws, arrays or {})


# The whole.


@pytest.mark.parametrize("lod", [0.0, 0.25, 1.0, 1.5, 2.0])
def test_picture_equals_definition(lod):
    """Of a finished network, and of networks that fade or stop at each level."""
    expected = reference.synthesis(
        WS.astype(np.float64), part(generator()[1], "synthesis"), len(CHANNELS), lod
    )
    assert_near(synthesize(lod=lod)["image"], expected)


def test_lod_of_network_counts_unless_another_is_asked_for():
    asked = synthesize(lod=1.5)["image"]
    np.testing.assert_array_equal(synthesize(fields={"lod": 1.5})["image"], asked)


def test_network_is_born_with_every_block_however_far_it_has_grown():
    finished, young = (flatten(abstract_variables(generator(lod=lod)[0])) for lod in (0.0, 2.0))
    assert {k: v.shape for k, v in finished.items()} == {k: v.shape for k, v in young.items()}


@pytest.mark.parametrize("labels", [None, LABELS], ids=["plain", "conditional"])
def test_codes_equal_definition(labels):
    module, variables = generator(c_dim=0 if labels is None else C, mapping_features=5)
    z = draw(2, Z)
    expected = reference.mapping(z, labels, part(variables, "mapping")["params"])
    ws = module.apply(variables, z, labels, method="map")
    assert_near(ws, np.repeat(expected[:, None], NUM_WS, axis=1))


def test_truncation_pulls_rows_below_cutoff_to_the_average():
    module, variables = generator()
    whole, truncated = (
        module.apply(variables, draw(2, Z), method="map", **options)
        for options in ({}, {"psi": 0.7, "cutoff": 2})
    )
    average = np.asarray(variables["buffers"]["mapping"]["w_avg"])
    whole = np.asarray(whole)
    np.testing.assert_array_equal(truncated[:, 2:], whole[:, 2:])
    assert_near(truncated[:, :2], average + 0.7 * (whole[:, :2] - average))


def test_generator_equals_mapping_then_synthesis():
    module, variables = generator()
    ws = module.apply(variables, draw(2, Z), psi=0.7, cutoff=3, method="map")
    image = jit(lambda: module.apply(variables, draw(2, Z), psi=0.7, cutoff=3))()
    assert_near(image, synthesize(ws)["image"])


def test_bfloat16_picture_is_near_float32():
    image = synthesize(fields={"precision": "bfloat16"})["image"]
    assert image.dtype == jnp.float32
    assert_near(image, synthesize()["image"], tolerance=0.1)  # Eight bits, five norms.


# Layers by name.


def test_layers_have_rows_in_the_order_they_run():
    names = ["b4.const", "b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    layers = adain_layers(CHANNELS)
    assert [x.name for x in layers] == names
    assert [x.row for x in layers] == list(range(6))


def test_layers_of_published_size_read_eighteen_rows():
    assert len(adain_layers(FFHQ_CHANNELS)) == Generator().num_ws == 18


def test_offsets_count_a_scale_and_a_shift_per_channel():
    assert [layer.offset for layer in adain_layers(CHANNELS)] == [0, 12, 24, 34, 44, 52]


def test_styles_have_sizes_of_layer_table():
    module, variables = generator()
    styles = module.apply(variables, WS, method="styles")
    sizes = {layer.name: (2, layer.in_channels) for layer in module.layers}
    assert {name: style.shape for name, style in styles.items()} == sizes


def test_styles_give_same_picture_as_their_codes():
    module, variables = generator()
    styles = module.apply(variables, WS, method="styles")
    assert_near(synthesize(None, arrays={"styles": styles})["image"], synthesize()["image"])


def test_features_have_shapes_of_layer_table():
    layers = generator()[0].layers
    shapes = {x.name: (2, x.resolution, x.resolution, x.channels) for x in layers}
    assert {name: x.shape for name, x in synthesize()["features"].items()} == shapes


def test_features_end_at_the_level_that_is_shown():
    assert synthesize(lod=1.0)["features"].keys() == {layer.name for layer in adain_layers((1, 1))}


def test_features_have_mean_and_deviation_of_their_style():
    """Equation 1: whatever enters, a map leaves with mean `shift` and deviation 1 + `scale`."""
    x, style = 3 + draw(2, 8, 8, 4), draw(2, 8, seed=1)
    y = np.asarray(adain(jnp.asarray(x), jnp.asarray(style)))
    assert_near(y.mean(axis=(1, 2)), style[:, 4:])
    assert_near(y.std(axis=(1, 2)), np.abs(1 + style[:, :4]))


def test_edit_of_codes_moves_the_rows_of_its_vector():
    """A direction of W+ through the same path as `sfe edit`."""
    module, variables = generator()
    vector = np.zeros((NUM_WS, W), np.float32)
    vector[2:4] = draw(2, W, seed=5)
    direction = Direction("own", "own", Linear("own", 1.0), None, None, "", "own")
    channels = {layer.name: layer.in_channels for layer in module.layers}
    operands = operands_for(
        direction, {"own": vector}, num_ws=NUM_WS, w_dim=W, style_channels=channels
    )
    strength = jnp.asarray([0.5, -2.0])
    styles = edited_styles(module, variables, jnp.asarray(WS), operands, strength)
    expected = synthesize(WS + np.asarray(strength)[:, None, None] * vector)["image"]
    assert_near(synthesize(None, arrays={"styles": styles})["image"], expected)


# Noise.


def test_noise_is_absent_in_mode_none():
    module, variables = generator()
    silent = jax.tree_util.tree_map_with_path(
        lambda path, x: 0 * x if path[-1].key == "noise_const" else x, variables
    )
    expected = jit(lambda v: module.apply(v, WS, method="synthesize")["image"])(silent)
    assert_near(synthesize(noise_mode="none")["image"], expected)


def test_random_noise_differs_between_keys():
    module, variables = generator()

    @jit
    def run(key):
        options = {"noise_mode": "random", "rngs": {"noise": key}, "method": "synthesize"}
        return module.apply(variables, WS, **options)["image"]

    first, second = run(jax.random.key(0)), run(jax.random.key(1))
    assert jnp.abs(first - second).max() > 1e-3


def test_network_without_noise_has_none_stored():
    module, _ = generator(use_noise=False)
    assert flatten(abstract_variables(module)["buffers"]).keys() == {"mapping/w_avg"}


# Upsampling.


def test_upsampling_equals_doubling_then_convolution_then_blur():
    x, kernel = draw(2, 4, 5, 3), draw(3, 3, 3, 2, seed=1)
    expected = reference.blur(convolution.same(reference.twice(x), kernel))
    assert_near(jit(upsample_convolve)(x, kernel), expected)


def test_upsampling_equals_the_fused_form_of_the_reversed_kernel():
    x, kernel = draw(2, 4, 5, 3), draw(3, 3, 3, 2, seed=1)
    expected = reference.blur(reference.fused_upsample(x, kernel[::-1, ::-1]))
    assert_near(jit(upsample_convolve)(x, kernel), expected)


# Refusals.


@pytest.mark.parametrize("lod", [-0.5, 2.5, float("nan")])
def test_lod_is_refused_beyond_the_blocks(lod):
    with pytest.raises(OptionError, match=r"`lod` is .*required is 0 \(finished\) to 2"):
        synthesize(lod=lod)


def test_noise_mode_is_refused_that_is_unknown():
    with pytest.raises(OptionError, match="'fixed'"):
        synthesize(noise_mode="fixed")


def test_missing_codes_are_refused():
    with pytest.raises(ShapeError, match="`ws` is None"):
        synthesize(None)


def test_styles_are_refused_that_lack_a_layer():
    module, variables = generator()
    styles = module.apply(variables, WS, method="styles")
    del styles["b8.conv1"]
    with pytest.raises(ShapeError, match=r"lacks 'b8\.conv1'"):
        synthesize(None, arrays={"styles": styles})


def test_codes_of_another_number_of_rows_are_refused():
    with pytest.raises(ShapeError, match=r"`ws` has shape \(2, 5, 8\)"):
        synthesize(WS[:, :5])


def test_labels_are_asked_for_by_a_conditional_network():
    module, variables = generator(c_dim=C)
    with pytest.raises(ShapeError, match="needs labels"):
        module.apply(variables, draw(2, Z), method="map")


def test_labels_are_refused_by_a_plain_network():
    module, variables = generator()
    with pytest.raises(ShapeError, match="`c` has shape"):
        module.apply(variables, draw(2, Z), LABELS, method="map")
