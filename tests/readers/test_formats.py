import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers import Format, Record, read, sha256, sniff
from sfe_jax.readers.limits import Limits
from tests.readers import builders
from tests.readers.builders import Call, Name, New, Stored

GRID = np.arange(24).reshape(4, 6)

STORAGES = [
    ("DoubleStorage", np.float64),
    ("FloatStorage", np.float32),
    ("HalfStorage", np.float16),
    ("BFloat16Storage", ml_dtypes.bfloat16),
    ("ComplexDoubleStorage", np.complex128),
    ("ComplexFloatStorage", np.complex64),
    ("LongStorage", np.int64),
    ("IntStorage", np.int32),
    ("ShortStorage", np.int16),
    ("CharStorage", np.int8),
    ("ByteStorage", np.uint8),
    ("BoolStorage", np.bool_),
]
UNTYPED = [
    ("uint16", np.uint16),
    ("uint32", np.uint32),
    ("uint64", np.uint64),
    ("float8_e4m3fn", ml_dtypes.float8_e4m3fn),
    ("float8_e5m2", ml_dtypes.float8_e5m2),
    ("bfloat16", ml_dtypes.bfloat16),
]


@pytest.fixture
def read_bytes(tmp_path):
    def write_and_read(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return read(path)

    return write_and_read


def same(left, right):
    """Equal values and equal types of them."""
    return left.dtype == right.dtype and np.array_equal(left, right)


@pytest.mark.parametrize(("cls", "dtype"), STORAGES)
def test_torch_zip_gives_values_of_storage_class(read_bytes, cls, dtype):
    array = GRID.astype(dtype)
    value = builders.tensor("0", cls, 24, shape=(4, 6), strides=(6, 1))
    assert same(read_bytes(builders.torch_zip(value, {"0": array.tobytes()})), array)


@pytest.mark.parametrize(("cls", "dtype"), STORAGES)
def test_torch_legacy_gives_values_of_storage_class(read_bytes, cls, dtype):
    array = GRID.astype(dtype)
    value = builders.tensor("0", cls, 24, shape=(4, 6), strides=(6, 1), legacy=True)
    assert same(read_bytes(builders.torch_legacy(value, {"0": (24, array.tobytes())})), array)


@pytest.mark.parametrize(("name", "dtype"), UNTYPED)
def test_torch_zip_gives_values_of_untyped_storage(read_bytes, name, dtype):
    array = GRID.astype(dtype)
    size = array.nbytes
    stored = Stored("storage", Name("torch.storage", "UntypedStorage"), "0", "cpu", size)
    rebuild = Name("torch._utils", "_rebuild_tensor_v3")
    value = Call(rebuild, stored, 0, (4, 6), (6, 1), False, {}, Name("torch", name))
    assert same(read_bytes(builders.torch_zip(value, {"0": array.tobytes()})), array)


@pytest.mark.parametrize("legacy", [False, True])
def test_view_has_offset_and_strides(read_bytes, legacy):
    array = GRID.astype(np.float32)
    value = builders.tensor(
        "0", "FloatStorage", 24, offset=6, shape=(2, 3), strides=(6, 2), legacy=legacy
    )
    if legacy:
        content = builders.torch_legacy(value, {"0": (24, array.tobytes())})
    else:
        content = builders.torch_zip(value, {"0": array.tobytes()})
    assert same(read_bytes(content), array[1:3, 0:6:2])


def shared_pair(read_bytes):
    array = GRID.astype(np.float32)
    value = {
        "a": builders.tensor("0", "FloatStorage", 24, shape=(4, 6), strides=(6, 1)),
        "b": builders.tensor("0", "FloatStorage", 24, shape=(6, 4), strides=(1, 6)),
    }
    return read_bytes(builders.torch_zip(value, {"0": array.tobytes()}))


def test_shared_storage_stays_shared(read_bytes):
    pair = shared_pair(read_bytes)
    assert np.shares_memory(pair["a"], pair["b"])


def test_transposed_view_has_transposed_values(read_bytes):
    pair = shared_pair(read_bytes)
    assert same(pair["b"], pair["a"].T)


def test_expanded_view_is_not_copied(read_bytes):
    value = builders.tensor("0", "FloatStorage", 1, shape=(1000,), strides=(0,))
    array = read_bytes(builders.torch_zip(value, {"0": np.float32(7).tobytes()}))
    assert array.strides == (0,)


def test_scalar_tensor_has_rank_0(read_bytes):
    value = builders.tensor("0", "FloatStorage", 1, shape=(), strides=())
    array = read_bytes(builders.torch_zip(value, {"0": np.float32(3.5).tobytes()}))
    assert same(array, np.float32(3.5).reshape(()))


def test_empty_tensor_keeps_its_shape(read_bytes):
    value = builders.tensor("0", "FloatStorage", 0, shape=(0, 3), strides=(3, 1))
    assert read_bytes(builders.torch_zip(value, {"0": b""})).shape == (0, 3)


def one_tensor():
    return builders.tensor("0", "FloatStorage", 3)


WRAPPED = {
    "parameter": Call(Name("torch._utils", "_rebuild_parameter"), one_tensor(), True, {}),
    "parameter with state": Call(
        Name("torch._utils", "_rebuild_parameter_with_state"), one_tensor(), True, {}, {"a": 1}
    ),
    "typed": Call(
        Name("torch._tensor", "_rebuild_from_type_v2"),
        one_tensor().function,
        Name("torch", "Tensor"),
        one_tensor().arguments,
        {"tag": 1},
    ),
    "first version": Call(
        Name("torch._utils", "_rebuild_tensor"), one_tensor().arguments[0], 0, (3,), (1,)
    ),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrapped_tensor_is_the_tensor(read_bytes, kind):
    array = np.arange(3, dtype=np.float32)
    assert same(read_bytes(builders.torch_zip(WRAPPED[kind], {"0": array.tobytes()})), array)


def test_torch_zip_with_protocol_4_reads(read_bytes):
    array = np.arange(3, dtype=np.float32)
    content = builders.dump({"a": one_tensor()}, 4)
    assert same(read_bytes(builders.torch_zip(content, {"0": array.tobytes()}))["a"], array)


def test_torch_zip_with_compressed_members_reads(read_bytes):
    array = np.arange(3, dtype=np.float32)
    members = [("m/data.pkl", builders.dump(one_tensor())), ("m/data/0", array.tobytes())]
    assert same(read_bytes(builders.pack(members, zipfile.ZIP_DEFLATED)), array)


def test_torch_zip_drops_attribute_of_state_dict(read_bytes):
    state = Call(Name("collections", "OrderedDict"), state={"_metadata": {"": {"version": 1}}})
    assert read_bytes(builders.torch_zip(state)) == {}


def test_torch_zip_keeps_plain_values(read_bytes):
    value = {"step": 5, "lr": 0.5, "name": "sfe", 3: [None, True], "ids": {1, 2}, "pair": (1, b"x")}
    assert read_bytes(builders.torch_zip(value)) == value


def test_namespace_becomes_record(read_bytes):
    options = New(Name("argparse", "Namespace"), state={"size": 1024})
    record = read_bytes(builders.torch_zip(options))
    assert (record.module, record.name, record.state) == ("argparse", "Namespace", {"size": 1024})


def test_size_becomes_tuple(read_bytes):
    assert read_bytes(builders.torch_zip(Call(Name("torch", "Size"), (1, 512)))) == (1, 512)


def test_legacy_view_of_storage_starts_at_its_offset(read_bytes):
    array = np.arange(8, dtype=np.float32)
    stored = Stored("storage", Name("torch", "FloatStorage"), "0", "cpu", 8, ("v", 2, 4))
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    value = Call(rebuild, stored, 1, (3,), (1,), False, {})
    content = builders.torch_legacy(value, {"0": (8, array.tobytes())})
    assert same(read_bytes(content), array[3:6])


def test_torchscript_class_becomes_record(read_bytes):
    array = np.arange(3, dtype=np.float32)
    module = New(Name("__torch__.models.Net", "Head"), state={"weight": one_tensor()})
    content = builders.torch_zip(
        module, {"0": array.tobytes()}, [("model/constants.pkl", builders.dump(()))]
    )
    record = read_bytes(content)
    assert same(record.state["weight"], array)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_of_plain_values_is_equal(read_bytes, protocol):
    value = {"a": [1, -2, 2**40, 1.5, "é", b"\xff" * 300, b"", None, False], "b": (), "c": {"x"}}
    assert read_bytes(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pickled_array_is_equal(read_bytes, protocol, order):
    array = np.asarray(GRID, np.float32, order=order)
    assert same(read_bytes(pickle.dumps(array, protocol)), array)


def test_pickled_scalar_is_equal(read_bytes):
    assert read_bytes(pickle.dumps(np.float64(0.1), 4)) == np.float64(0.1)


def test_pickled_array_of_python_2_is_equal(read_bytes):
    array = np.arange(5, dtype=np.float32)
    assert same(read_bytes(builders.dump(builders.array_state(array, text=True))), array)


def test_array_used_twice_is_one_object(read_bytes):
    array = np.arange(5, dtype=np.float32)
    first, second = read_bytes(pickle.dumps([array, array], 2))
    assert first is second


def test_tensorflow_network_becomes_record(read_bytes):
    network = Name("dnnlib.tflib.network", "Network")
    state = {"version": 4, "variables": [("w", builders.array_state(np.ones(2, np.float32)))]}
    first, _, _ = read_bytes(builders.dump((New(network, state), 1, 2), 4))
    assert same(first.state["variables"][0][1], np.ones(2, np.float32))


def test_easy_dict_becomes_dict(read_bytes):
    assert read_bytes(builders.dump(New(Name("dnnlib.util", "EasyDict")), 4)) == {}


@pytest.mark.parametrize(
    "array", [GRID, GRID.astype("<f4").T, np.float16(2), np.array(["a", "bc"])]
)
def test_npy_is_equal(read_bytes, array):
    assert same(read_bytes(builders.npy_of(array)), np.asarray(array))


def object_dtype():
    state = (3, "|", None, None, None, -1, -1, 63)
    return Call(Name("numpy", "dtype"), "O8", False, True, state=state)


def test_npy_of_rank_0_object_is_the_object(read_bytes):
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    weights = {"conv": builders.array_state(np.ones(3, np.float32), text=True)}
    objects = Call(
        Name("numpy.core.multiarray", "_reconstruct"),
        Name("numpy", "ndarray"),
        (0,),
        "b",
        state=(1, (), object_dtype(), False, [weights]),
    )
    content = builders.npy(header, builders.dump(objects))
    assert same(read_bytes(content)["conv"], np.ones(3, np.float32))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_equal(tmp_path, save):
    save(tmp_path / "a.npz", grid=GRID)
    assert same(read(tmp_path / "a.npz")["grid"], GRID)


def test_safetensors_is_equal_to_what_its_library_wrote(tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    numpy_files.save_file({"a": GRID, "b": np.float16([1, 2])}, tmp_path / "f")
    content = read(tmp_path / "f")
    assert same(content["a"], GRID)
    assert same(content["b"], np.float16([1, 2]))


def test_safetensors_gives_bfloat16(read_bytes):
    array = GRID.astype(ml_dtypes.bfloat16)
    header = {"a": {"dtype": "BF16", "shape": [4, 6], "data_offsets": [0, 48]}}
    assert same(read_bytes(builders.safetensors(header, array.tobytes()))["a"], array)


def test_safetensors_keeps_metadata(read_bytes):
    content = builders.safetensors({"__metadata__": {"architecture": "stylegan2"}})
    assert read_bytes(content) == {"__metadata__": {"architecture": "stylegan2"}}


FORMATS = {
    Format.TORCH_ZIP: builders.torch_zip({}),
    Format.TORCHSCRIPT: builders.torch_zip({}, extra=[("model/constants.pkl", b"")]),
    Format.TORCH_LEGACY: builders.torch_legacy({}),
    Format.SAFETENSORS: builders.safetensors({}),
    Format.NPY: builders.npy_of(GRID),
    Format.NPZ: builders.pack([("a.npy", builders.npy_of(GRID))]),
    Format.PICKLE: builders.dump({}),
}


@pytest.mark.parametrize("expected", Format)
def test_sniff_tells_format_without_ending(tmp_path, expected):
    (tmp_path / "file").write_bytes(FORMATS[expected])
    assert sniff(tmp_path / "file") is expected


def test_sniff_tells_legacy_stream_of_protocol_4(tmp_path):
    (tmp_path / "file").write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 4))
    assert sniff(tmp_path / "file") is Format.TORCH_LEGACY


def test_sha256_is_that_of_the_content(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "file") == digest


def test_stored_tensor_is_a_view_of_the_file(read_bytes):
    content = builders.torch_zip(one_tensor(), {"0": np.arange(3, dtype=np.float32).tobytes()})
    assert not read_bytes(content).flags.writeable


def test_read_refuses_file_above_its_limit(tmp_path):
    (tmp_path / "file").write_bytes(builders.dump({}))
    with pytest.raises(FileFormatError, match="at most 3 are read"):
        read(tmp_path / "file", limits=Limits(file_bytes=3))


def test_record_shows_its_class_and_not_its_state():
    assert repr(Record("argparse", "Namespace", {"a": 1})) == "Record(argparse.Namespace)"
