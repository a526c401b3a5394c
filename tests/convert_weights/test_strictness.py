import ml_dtypes
import numpy as np
import pytest

from convert_weights.convert import convert_source
from convert_weights.kinds.network import network
from convert_weights.kinds.table import detect, names
from convert_weights.name_maps import encoders, stylegan2
from sfe_jax.core.errors import SfeError, WeightsError
from sfe_jax.ops.convolution import RESAMPLE_FILTER
from tests.convert_weights.official import ROWS, SIZE, state_of, torch_bytes
from tests.readers.builders import torch_zip


def convert_ada(state, **options):
    build, entries = stylegan2.ada_generator, stylegan2.ada_generator_entries
    return network(state, build, entries, "file.pkl: G_ema", **options)


@pytest.fixture
def broken():
    """Lacks a bias, has a key too many, and a kernel without its last column."""
    state = state_of("ada")
    del state["synthesis.b8.conv0.bias"]
    state["synthesis.b8.extra"] = np.zeros(3, np.float32)
    state["synthesis.b16.conv1.weight"] = state["synthesis.b16.conv1.weight"][..., :2]
    return state


@pytest.mark.parametrize(
    "line",
    [
        "file.pkl: G_ema: 3 arrays",
        "missing synthesis.b8.conv0.bias",
        "unexpected synthesis.b8.extra",
        r"synthesis.b16.conv1.weight has shape \(16, 16, 3, 2\), required is \(16, 16, 3, 3\)",
    ],
)
def test_all_faults_are_listed_together_when_several_arrays_do_not_fit(broken, line):
    with pytest.raises(WeightsError, match=line):
        convert_ada(broken)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (np.float32(np.nan), "holds numbers that are not finite"),
        (np.float64(1e300), "holds numbers that are not finite, or too large"),
        (np.complex64(1j), "is complex64, required are floating numbers"),
        (np.bool_(True), "is bool, required"),
        (np.int32(1), "is int32, required"),
    ],
)
def test_arrays_that_hold_no_weights_are_refused_by_their_key(value, fault):
    state, key = state_of("ada"), "synthesis.b8.conv0.bias"
    state[key] = np.full(state[key].shape, value)
    with pytest.raises(WeightsError, match=f"{key} {fault}"):
        convert_ada(state)


def test_an_average_that_is_not_finite_is_refused():
    with pytest.raises(WeightsError, match="w_avg holds numbers that are not finite"):
        convert_ada(state_of("ada"), w_avg=np.full(SIZE, np.inf, np.float32))


def test_bfloat16_is_converted_to_the_same_numbers():
    state, key = state_of("ada"), "synthesis.b8.conv0.bias"
    state[key] = np.full(state[key].shape, 1.5, ml_dtypes.bfloat16)
    bias = convert_ada(state).variables["params"]["synthesis"]["b8"]["conv0"]["bias"]
    np.testing.assert_array_equal(bias, np.full(state[key].shape, 1.5, np.float32), strict=True)


def test_constants_are_ignored_where_official_files_carry_filters():
    state = state_of("ada")
    for key in ("synthesis.b8.resample_filter", "synthesis.b8.conv0.resample_filter"):
        state[key] = RESAMPLE_FILTER
    convert_ada(state)


def test_filter_that_is_not_ours_is_refused():
    state = state_of("ada")
    state["synthesis.b8.resample_filter"] = np.ones((4, 4), np.float32)
    with pytest.raises(WeightsError, match=r"synthesis.b8.resample_filter is another filter"):
        convert_ada(state)


def test_constants_are_ignored_where_rosinality_carries_kernels():
    state = state_of("rosinality")
    for key in ("convs.0.conv.blur.kernel", "to_rgbs.0.upsample.kernel"):
        state[key] = 4 * RESAMPLE_FILTER
    build, entries = stylegan2.rosinality_generator, stylegan2.rosinality_generator_entries
    network(state, build, entries, "file.pt")


def test_counters_are_ignored_where_batch_norm_keeps_them():
    state = state_of("arcface")
    state["input_layer.1.num_batches_tracked"] = np.zeros((), np.int64)
    network(state, encoders.arcface, encoders.arcface_entries, "file.pth")


def test_a_key_is_refused_that_only_resembles_a_constant():
    state = state_of("ada")
    state["synthesis.b8.resample_filter_2"] = np.zeros((4, 4), np.float32)
    with pytest.raises(WeightsError, match=r"unexpected synthesis\.b8.resample_filter_2"):
        convert_ada(state)


@pytest.mark.parametrize("shape", [(SIZE + 1,), (ROWS + 1, SIZE), (1, SIZE), ()])
def test_an_average_is_refused_that_does_not_fit(shape):
    build, entries = stylegan2.rosinality_generator, stylegan2.rosinality_generator_entries
    with pytest.raises(WeightsError, match="w_avg has shape"):
        network(state_of("rosinality"), build, entries, "f", w_avg=np.ones(shape, np.float32))


def test_an_average_of_all_rows_is_kept_as_it_stands():
    build, entries = stylegan2.rosinality_generator, stylegan2.rosinality_generator_entries
    rows = np.arange(ROWS * SIZE, dtype=np.float32).reshape(ROWS, SIZE)
    net = network(state_of("rosinality"), build, entries, "f", w_avg=rows)
    np.testing.assert_array_equal(net.variables["buffers"]["mapping"]["w_avg"], rows)


@pytest.mark.parametrize("name", ["ada", "rosinality", "psp", "inverter"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 3, 4, 5, 6, 7)])
def test_weights_are_refused_in_one_error_when_every_array_is_of_a_wrong_shape(
    tmp_path, name, shape
):
    prefix = {"psp": "encoder.", "inverter": "encoder."}.get(name, "")
    state = {key: np.zeros(shape, np.float32) for key in state_of(name, prefix)}
    wrapped = {"state_dict": state, "opts": {"encoder_type": "GradualStyleEncoder"}}
    path = tmp_path / "wrong.pt"
    path.write_bytes(torch_bytes(wrapped if prefix else state))
    with pytest.raises(SfeError, match=r"wrong\.pt"):
        convert_source(path)


@pytest.mark.parametrize("content", [None, 3, "text", [1, 2], {"state_dict": []}, {1: 2}])
@pytest.mark.parametrize("kind", names())
def test_a_file_of_another_structure_is_refused_under_every_kind(tmp_path, content, kind):
    path = tmp_path / "odd.pt"
    path.write_bytes(torch_zip(content))
    with pytest.raises(SfeError, match=r"odd\.pt"):
        convert_source(path, kind)


@pytest.mark.parametrize("content", [None, [], {}, {"state_dict": None}, {"weight": 1}])
def test_detection_is_refused_with_the_known_kinds_when_there_is_none(content):
    with pytest.raises(WeightsError, match=r"odd\.pt.*--inspect.*sfe-editor"):
        detect(content, "odd.pt")
