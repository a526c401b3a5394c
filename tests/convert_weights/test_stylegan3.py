from functools import cache

import numpy as np
import pytest

from convert_weights.assemble import convert_state, export_state
from convert_weights.kinds.network import network
from convert_weights.kinds.table import by_name, detect
from convert_weights.name_maps import stylegan3
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten
from sfe_jax.models.stylegan3 import Generator
from sfe_jax.pipelines.random_bundle import random_variables
from sfe_jax.readers import read
from tests.convert_weights.official import persistent_bytes

SIZES = {"resolution": 32, "z_dim": 6, "w_dim": 8, "mapping_features": 8}
CHANNELS = (6, 5, 4, 4)

MODULES = {
    "T": Generator(CHANNELS, **SIZES),
    "R": Generator(CHANNELS, kernel_size=1, radial=True, **SIZES),
    "conditional": Generator(CHANNELS, c_dim=3, embed_features=8, **SIZES),
    "of other depths": Generator((6, 6, 5, 5, 4, 4), mapping_layers=4, **SIZES),
    "grey": Generator(CHANNELS, image_channels=1, **SIZES),
}

SETTINGS = {
    "num_critical": 1,
    "first_cutoff": np.float64(2.5),
    "first_stopband": 5.0,
    "last_stopband_rel": 1.25,
    "margin_size": 6,
    "output_scale": 0.5,
    "conv_clamp": None,
}
"""Arguments of an original pickle that differ from the published ones."""

OTHER = Generator(
    CHANNELS,
    num_critical=1,
    first_cutoff=2.5,
    first_stopband=5.0,
    last_stopband=1.25,
    margin=6,
    output_scale=0.5,
    conv_clamp=None,
    **SIZES,
)


@cache
def variables_of(module):
    return random_variables(module, np.random.default_rng(0))


def state_of(module):
    """The official state dict, with filters."""
    state = export_state(variables_of(module), stylegan3.generator_entries(module))
    for layer in module.layers:
        for part, f in (("up", layer.up_filter), ("down", layer.down_filter)):
            if f is not None:
                state[f"synthesis.{layer.name}.{part}_filter"] = f
    return state


def convert(state, **settings):
    build, entries = stylegan3.generator, stylegan3.generator_entries
    return network(state, build, entries, "net.pkl: G_ema", **settings)


@pytest.mark.parametrize("name", MODULES)
def test_architecture_is_read_from_names_and_shapes(name):
    assert stylegan3.generator(state_of(MODULES[name])) == MODULES[name]


@pytest.mark.parametrize("name", ["T", "conditional"])
def test_conversion_gives_back_every_bit_that_was_exported(name):
    module = MODULES[name]
    state = export_state(variables_of(module), stylegan3.generator_entries(module))
    converted = flatten(convert_state(state, module, stylegan3.generator_entries(module)))
    expected = flatten(variables_of(module))
    assert converted.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(converted[path], value, err_msg=path, strict=True)


def test_state_has_the_official_keys_of_a_layer():
    """stylegan3 training/networks_stylegan3.py, SynthesisLayer."""
    parts = ["weight", "bias", "affine.weight", "affine.bias", "magnitude_ema"]
    expected = {*parts, "up_filter", "down_filter"}
    prefix = "synthesis.L0_36_6."
    keys = {key.removeprefix(prefix) for key in state_of(MODULES["T"]) if key.startswith(prefix)}
    assert keys == expected


def test_kind_is_detected_of_a_bare_state_dict():
    assert detect(state_of(MODULES["R"]), "net.pt").name == "stylegan3-generator"


def test_settings_are_read_from_the_arguments_of_a_pickle(tmp_path):
    made = {"": {"_init_args": (), "_init_kwargs": {**SETTINGS, "first_cutoff": 2.5}}}
    path = tmp_path / "net.pkl"
    path.write_bytes(persistent_bytes({"G_ema": (state_of(OTHER), made)}))
    content = read(path)
    kind = detect(content, path.name)
    assert (kind.name, kind.convert(content, path.name).networks["generator"].module) == (
        "stylegan3",
        OTHER,
    )


def test_settings_may_stand_inside_those_of_the_synthesis():
    nested = {"synthesis_kwargs": {"margin_size": 6, "output_scale": 0.5}}
    assert stylegan3.settings(nested) == {"margin": 6, "output_scale": 0.5}


def test_settings_become_numbers_of_python():
    assert type(stylegan3.settings(SETTINGS)["first_cutoff"]) is float


def test_settings_are_refused_that_are_no_numbers():
    with pytest.raises(WeightsError, match="margin_size is 'wide'; required is a number"):
        stylegan3.settings({"margin_size": "wide"})


def test_filter_of_another_design_is_refused():
    state = state_of(MODULES["R"])
    key = f"synthesis.{MODULES['R'].layers[1].name}.down_filter"
    state[key] = state[key] + np.float32(1e-4)
    with pytest.raises(WeightsError, match=rf"net.pkl: G_ema: {key} is another filter"):
        convert(state)


def test_sizes_are_refused_that_follow_from_settings_elsewhere():
    with pytest.raises(WeightsError, match=r"layer L0_28_6 should be called L0_36_6"):
        convert(state_of(OTHER))


def test_state_dict_of_no_generator_is_refused():
    with pytest.raises(WeightsError, match="no stylegan3 generator"):
        by_name("stylegan3-generator").convert({"synthesis.input.freqs": np.zeros((2, 2))}, "f")
