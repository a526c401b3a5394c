"""What is particular to files of networks that judge pictures."""

import pathlib

import numpy as np
import pytest

from convert_weights.convert import convert_source
from convert_weights.kinds.table import by_name, detect
from convert_weights.name_maps.mtcnn import swapped_dense
from sfe_jax.core.errors import WeightsError
from sfe_jax.core.trees import flatten
from sfe_jax.pipelines.bundle import Bundle, load_bundle, save_bundle
from tests.convert_weights.official import moco_state, state_of, variables_of

ROLES = {
    "curricular face": "curricular_face",
    "iresnet": "iresnet",
    "fid inception": "fid_inception",
    "mtcnn pnet": "mtcnn_pnet",
    "mtcnn rnet": "mtcnn_rnet",
    "mtcnn onet": "mtcnn_onet",
}


def convert(content):
    return detect(content, "file.pth").convert(content, "file.pth").networks


@pytest.mark.parametrize("name", ROLES)
def test_network_has_its_role(name):
    assert convert(state_of(name)).keys() == {ROLES[name]}


def test_network_of_moco_has_its_role():
    assert convert({"state_dict": moco_state()}).keys() == {"moco"}


def test_networks_come_back_from_a_bundle(tmp_path):
    networks = convert({"state_dict": moco_state()})
    for name in ROLES:
        networks |= convert(state_of(name))
    save_bundle(tmp_path / "networks.safetensors", Bundle(networks))
    found = load_bundle(tmp_path / "networks.safetensors").networks
    assert {role: net.module for role, net in found.items()} == {
        role: net.module for role, net in networks.items()
    }


def test_moco_takes_the_network_that_was_trained_by_gradients():
    """`encoder_k` is its average, and does not count."""
    content = {"state_dict": moco_state()}
    key = "module.encoder_k.conv1.weight"
    content["state_dict"][key] = content["state_dict"][key] + 1
    found = flatten(convert(content)["moco"].variables)["params/conv/kernel"]
    expected = flatten(variables_of("moco"))["params/conv/kernel"]
    np.testing.assert_array_equal(found, expected)


def test_swapped_dense_reads_columns_before_rows():
    side, channels = 3, 4
    official = np.arange(5 * channels * side * side).reshape(5, -1)
    ours = swapped_dense(side).to_ours(official)
    c, row, column, out = 3, 1, 2, 4
    index = (row * side + column) * channels + c
    assert ours[index, out] == official[out, (c * side + column) * side + row]


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_published_mtcnn_is_converted(checkpoint_folder, name):
    path = pathlib.Path(checkpoint_folder / "mtcnn" / f"{name}.npy")
    assert convert_source(path)[1].networks.keys() == {f"mtcnn_{name}"}


# Refusals.


def test_inception_of_torchvision_is_refused():
    state = state_of("fid inception")
    state["fc.bias"] = np.zeros(1000 // 16, np.float32)
    with pytest.raises(WeightsError, match=r"file\.pth: .*62 classes.*1008.*pytorch-fid"):
        convert(state)


def test_arcface_without_an_array_is_not_taken_for_curricular_face():
    state = state_of("arcface")
    del state["output_layer.4.weight"]
    with pytest.raises(WeightsError, match=r"missing output_layer\.4\.weight"):
        convert(state)


def test_resnet_without_bottlenecks_is_refused():
    content = {"state_dict": moco_state()}
    del content["state_dict"]["module.encoder_q.layer1.0.conv3.weight"]
    with pytest.raises(WeightsError, match=r"file\.pth: encoder_q: .*conv3.*ResNet-50"):
        convert(content)


def test_network_that_is_not_of_mtcnn_is_refused():
    state = {key: value for key, value in state_of("mtcnn pnet").items() if "conv4" not in key}
    with pytest.raises(WeightsError, match=r"pnet\.npy: .*pnet\.npy, rnet\.npy and onet\.npy"):
        by_name("mtcnn").convert(state, "pnet.npy")
