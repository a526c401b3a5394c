"""LPIPS comes as one file or as two; SqueezeNet's is small enough to write at its full size."""

from functools import cache

import numpy as np
import pytest

from convert_weights.assemble import export_state
from convert_weights.combine import combine
from convert_weights.convert import convert_source
from convert_weights.kinds.kind import Converted
from convert_weights.kinds.lpips import join_lpips
from convert_weights.kinds.table import by_name, detect
from convert_weights.name_maps.lpips import package_entries
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten
from sfe_jax.pipelines.bundle import Bundle, Source, load_bundle, save_bundle
from tests.convert_weights.official import torch_bytes
from tests.reference import lpips as reference

TRUNKS = ("alex", "squeeze")


@cache
def state_of(trunk):
    return reference.random_state(trunk, np.random.default_rng(0))


def halves(trunk):
    """torchvision's state dict, with a classifier, and that of the linear layers."""
    heads = {key: value for key, value in state_of(trunk).items() if key.startswith("lin")}
    rest = {key: value for key, value in state_of(trunk).items() if key not in heads}
    return {**rest, "classifier.1.weight": np.zeros((2, 2), np.float32)}, heads


def package_of(trunk):
    return reference.package_state(trunk, state_of(trunk))


def convert(content):
    return detect(content, "file.pth").convert(content, "file.pth").networks


def converted_halves(trunk):
    first, second = halves(trunk)
    return {**convert(first), **convert(second)}


def assert_equal_networks(first, second):
    assert first.module == second.module
    expected = flatten(second.variables)
    assert flatten(first.variables).keys() == expected.keys()
    for path, value in flatten(first.variables).items():
        np.testing.assert_array_equal(value, expected[path], err_msg=path, strict=True)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_kinds_are_detected(trunk):
    contents = {"lpips": package_of(trunk)}
    contents["lpips-trunk"], contents["lpips-heads"] = halves(trunk)
    assert [detect(x, "file.pth").name for x in contents.values()] == list(contents)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_halves_give_the_network_that_the_whole_gives(trunk):
    whole, joined = convert(package_of(trunk)), join_lpips(converted_halves(trunk))
    assert whole.keys() == joined.keys() == {f"lpips_{trunk}"}
    assert_equal_networks(*(networks[f"lpips_{trunk}"] for networks in (joined, whole)))


@pytest.mark.parametrize("trunk", TRUNKS)
def test_conversion_gives_back_every_bit(trunk):
    (net,) = convert(package_of(trunk)).values()
    state = export_state(net.variables, package_entries(net.module))
    expected = package_of(trunk)
    assert {key for key in expected if not key.startswith(("lins.", "scaling"))} == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key, strict=True)


def test_lpips_comes_back_from_a_bundle(tmp_path):
    networks = convert(package_of("squeeze"))
    save_bundle(tmp_path / "lpips.safetensors", Bundle(networks))
    found = load_bundle(tmp_path / "lpips.safetensors").network("lpips_squeeze")
    assert_equal_networks(found, networks["lpips_squeeze"])


def test_torch_file_of_linear_layers_is_converted(tmp_path):
    path = tmp_path / "alex.pth"
    path.write_bytes(torch_bytes(halves("alex")[1]))
    _, converted = convert_source(path)
    assert converted.networks["lpips_alex_heads"].module.channels == (64, 192, 384, 256, 256)


@pytest.mark.parametrize("name", ["alex", "squeeze", "vgg"])
def test_published_linear_layers_are_converted(checkpoint_folder, name):
    _, converted = convert_source(checkpoint_folder / "lpips" / f"{name}.pth")
    scale = converted.networks[f"lpips_{name}_heads"].variables["params"]["head0"]["scale"]
    expected = {"alex": 2.34953, "vgg": 6.92599, "squeeze": 5.69010}
    np.testing.assert_allclose(scale.sum(), expected[name], rtol=1e-5)


def test_other_networks_pass_the_joining_unchanged():
    (other,) = convert(package_of("squeeze")).values()
    assert join_lpips({"arcface": other}) == {"arcface": other}


def test_halves_of_two_trunks_make_two_networks():
    networks = {**converted_halves("squeeze"), **converted_halves("alex")}
    trunks = {role: net.module.trunk for role, net in join_lpips(networks).items()}
    assert trunks == {"lpips_squeeze": "squeeze", "lpips_alex": "alex"}


def test_halves_of_two_files_make_one_bundle():
    parts = [
        (Source(name, "0" * 64), Converted("lpips", convert(half)))
        for name, half in zip(("squeezenet.pth", "squeeze.pth"), halves("squeeze"), strict=True)
    ]
    assert combine(parts)[0].networks.keys() == {"lpips_squeeze"}


# Refusals.


@pytest.mark.parametrize(("missing", "left"), [("trunk", "heads"), ("heads", "trunk")])
def test_half_without_the_other_is_refused(missing, left):
    networks = converted_halves("squeeze")
    del networks[f"lpips_squeeze_{missing}"]
    with pytest.raises(WeightsError, match=f"lpips_squeeze: its {left} alone; give .* together"):
        join_lpips(networks)


def test_halves_of_different_trunks_are_refused():
    networks = converted_halves("squeeze")
    networks["lpips_alex_heads"] = converted_halves("alex")["lpips_alex_heads"]
    del networks["lpips_squeeze_heads"]
    with pytest.raises(WeightsError, match="lpips_alex: its heads alone"):
        join_lpips(networks)


def test_halves_beside_a_whole_are_refused():
    networks = {**converted_halves("squeeze"), **convert(package_of("squeeze"))}
    with pytest.raises(WeightsError, match="lpips_squeeze: a whole and its halves; give one"):
        join_lpips(networks)


@pytest.mark.parametrize("name", ["shift", "scale"])
def test_other_standardisation_of_colours_is_refused(name):
    key = f"scaling_layer.{name}"
    state = package_of("squeeze")
    state[key] = state[key] * np.float32(1.01)
    with pytest.raises(WeightsError, match=rf"file\.pth: {key} is .*required is"):
        convert(state)


def test_linear_layers_of_unknown_widths_are_refused():
    state = {"lin0.model.1.weight": np.zeros((1, 7, 1, 1), np.float32)}
    with pytest.raises(WeightsError, match=r"file\.pth: .*\(7,\).*alex, vgg, squeeze"):
        convert(state)


def test_another_network_of_torchvision_is_refused_with_what_it_lacks():
    """VGG-13 has two convolutions in each block."""
    state = {
        f"features.{layer}.{part}": np.zeros((1,) * (4 if part == "weight" else 1), np.float32)
        for layer in (0, 2, 5, 7, 10, 12, 15, 17, 20, 22)
        for part in ("weight", "bias")
    }
    with pytest.raises(WeightsError, match=r"missing features\.14\.weight"):
        by_name("lpips-trunk").convert(state, "vgg13.pth")
