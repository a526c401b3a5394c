import numpy as np
import pytest

from convert_weights.assemble import convert_state, export_state
from convert_weights.export import export_generator
from convert_weights.kinds.network import network
from convert_weights.name_maps import stylegan2
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten, unflatten
from sfe_jax.pipelines.bundle import Network, describe_architecture
from sfe_jax.pipelines.random_bundle import random_variables
from tests.convert_weights.official import (
    CHANNELS,
    FAMILIES,
    ROWS,
    SIZE,
    average,
    generator,
    state_of,
    variables_of,
)

ADA = [name for name in FAMILIES if name.startswith("ada") and "discriminator" not in name]


@pytest.mark.parametrize("name", FAMILIES)
def test_architecture_is_read_from_shapes(name):
    family = FAMILIES[name]
    built = describe_architecture(family.build(state_of(name)))
    assert built == describe_architecture(family.module)


@pytest.mark.parametrize("name", FAMILIES)
def test_conversion_gives_back_every_bit_that_was_exported(name):
    family, variables = FAMILIES[name], flatten(variables_of(name))
    state = state_of(name)
    converted = flatten(convert_state(state, family.module, family.entries(family.module)))
    assert converted.keys() == variables.keys()
    for path, value in variables.items():
        np.testing.assert_array_equal(converted[path], value, err_msg=path, strict=True)


def test_conversion_is_of_an_asymmetric_array_in_every_family():
    """A transposed or flipped axis would show: no exported kernel equals its own transpose."""
    state = state_of("ada")
    kernel = state["synthesis.b8.conv1.weight"]
    assert not np.array_equal(kernel, kernel.swapaxes(2, 3))


def test_scalars_stay_scalars_when_exported():
    assert state_of("ada")["synthesis.b4.conv1.noise_strength"].shape == ()


def test_scalars_stay_scalars_when_converted():
    family = FAMILIES["ada"]
    variables = convert_state(state_of("ada"), family.module, family.entries(family.module))
    assert variables["params"]["synthesis"]["b4"]["conv1"]["noise_strength"].shape == ()


def test_exported_arrays_are_contiguous():
    assert all(value.flags.c_contiguous for value in state_of("rosinality").values())


# The generator's two layouts through the public function.


def random_generator(**changes):
    module = generator(**changes)
    return Network(module, random_variables(module, np.random.default_rng(0)))


@pytest.mark.parametrize("name", ADA)
def test_ada_export_converts_back_to_the_same_generator(name):
    net = Network(FAMILIES[name].module, variables_of(name))
    state = export_generator(net, "stylegan2-ada")
    back = network(state, stylegan2.ada_generator, stylegan2.ada_generator_entries, "export")
    for path, value in flatten(net.variables).items():
        np.testing.assert_array_equal(flatten(back.variables)[path], value, strict=True)


def test_rosinality_export_converts_back_to_the_same_generator():
    net = random_generator()
    state = export_generator(net, "rosinality")
    w_avg = state.pop("latent_avg")
    build, entries = stylegan2.rosinality_generator, stylegan2.rosinality_generator_entries
    back = network(state, build, entries, "export", w_avg=w_avg)
    for path, value in flatten(net.variables).items():
        np.testing.assert_array_equal(flatten(back.variables)[path], value, strict=True)


def test_both_exports_hold_the_same_kernel_but_for_a_unit_axis():
    net = random_generator()
    ada, rosinality = (export_generator(net, name) for name in ("stylegan2-ada", "rosinality"))
    np.testing.assert_array_equal(
        rosinality["convs.2.conv.weight"][0], ada["synthesis.b16.conv0.weight"]
    )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"c_dim": 3}, "labels"),
        ({"architecture": "resnet"}, "resnet"),
        ({"architecture": "orig"}, "orig"),
        ({"use_noise": False}, "noise"),
        ({"z_dim": 5}, "size"),
        ({"mapping_features": 7}, "hidden"),
        ({"image_channels": 1}, "channels"),
    ],
)
def test_rosinality_export_is_refused_of_what_it_cannot_hold(changes, word):
    with pytest.raises(WeightsError, match=rf"rosinality.*{word}.*stylegan2-ada"):
        export_generator(random_generator(**changes), "rosinality")


def test_export_is_refused_in_an_unknown_layout():
    with pytest.raises(WeightsError, match=r"tensorflow.*stylegan2-ada, rosinality"):
        export_generator(random_generator(), "tensorflow")


def test_export_is_refused_of_a_network_that_is_no_generator():
    net = Network(FAMILIES["e4e"].module, variables_of("e4e"))
    with pytest.raises(WeightsError, match=r"E4eEncoder.*generator"):
        export_generator(net, "stylegan2-ada")


def with_rows(rows):
    net = random_generator()
    flat = {**flatten(net.variables), "buffers/mapping/w_avg": rows}
    return Network(net.module, unflatten(flat))


def test_export_writes_one_average_when_all_rows_agree():
    state = export_generator(with_rows(np.tile(average(), (ROWS, 1))), "stylegan2-ada")
    np.testing.assert_array_equal(state["mapping.w_avg"], average(), strict=True)


def test_export_is_refused_when_the_rows_of_the_average_differ():
    rows = np.arange(ROWS * SIZE, dtype=np.float32).reshape(ROWS, SIZE)
    with pytest.raises(WeightsError, match="average"):
        export_generator(with_rows(rows), "rosinality")


def test_export_state_lists_exactly_the_official_keys_of_a_block():
    """stylegan2-ada-pytorch training/networks.py, block 8 of a skip generator."""
    module = generator(channels=CHANNELS[:2])
    variables = random_variables(module, np.random.default_rng(0))
    state = export_state(variables, stylegan2.ada_generator_entries(module))
    layer = ("weight", "bias", "noise_strength", "noise_const", "affine.weight", "affine.bias")
    colours = ("weight", "bias", "affine.weight", "affine.bias")
    expected = {f"conv{index}.{part}" for index in (0, 1) for part in layer}
    expected |= {f"torgb.{part}" for part in colours}
    prefix = "synthesis.b8."
    assert {key.removeprefix(prefix) for key in state if key.startswith(prefix)} == expected
