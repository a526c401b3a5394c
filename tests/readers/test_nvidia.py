import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers import Record, init_arguments, module_tensors, read
from tests.readers import builders

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def parameter(array):
    return builders.Call(
        builders.Name("torch._utils", "_rebuild_parameter"),
        builders.persistent_tensor(array),
        True,
        {},
    )


def generator(**attributes):
    synthesis = builders.persistent("SynthesisNetwork", parameters={"const": parameter(WEIGHT)})
    mapping = builders.persistent(
        "MappingNetwork",
        parameters={"bias": None},
        buffers={"w_avg": builders.persistent_tensor(WEIGHT[0])},
    )
    modules = {"synthesis": synthesis, "mapping": mapping, "unused": None}
    return builders.persistent("Generator", modules=modules, **attributes)


@pytest.fixture
def read_module(tmp_path):
    def write_and_read(module, protocol=4):
        (tmp_path / "network.pkl").write_bytes(builders.dump({"G_ema": module}, protocol))
        return read(tmp_path / "network.pkl")["G_ema"]

    return write_and_read


@pytest.mark.parametrize("protocol", [3, 4])
def test_module_tensors_are_named_by_path_in_order(read_module, protocol):
    tensors = module_tensors(read_module(generator(), protocol))
    assert list(tensors) == ["synthesis.const", "mapping.w_avg"]


def test_module_tensors_have_their_values(read_module):
    tensors = module_tensors(read_module(generator()))
    np.testing.assert_array_equal(tensors["synthesis.const"], WEIGHT)


def test_module_tensors_keep_channels_last_strides(read_module):
    tensor = builders.persistent_tensor(np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4))
    storage, offset, _, _, *rest = tensor.arguments
    view = builders.Call(tensor.function, storage, offset, (1, 2, 3, 4), (24, 1, 8, 2), *rest)
    module = builders.persistent("Conv2dLayer", buffers={"weight": view})
    strides = module_tensors(read_module(module))["weight"].strides
    assert strides == (96, 4, 32, 8)


def test_source_text_stays_text(read_module):
    assert read_module(generator()).state["module_src"] == "open('canary', 'w')"


def test_init_arguments_name_positional_ones_of_generator(read_module):
    record = read_module(generator(_init_args=(64, 0), _init_kwargs={"img_resolution": 32}))
    assert init_arguments(record) == {"z_dim": 64, "c_dim": 0, "img_resolution": 32}


def test_init_arguments_name_positional_ones_of_discriminator(read_module):
    module = builders.persistent("Discriminator", _init_args=(0, 32, 3), _init_kwargs={})
    arguments = init_arguments(read_module(module))
    assert arguments == {"c_dim": 0, "img_resolution": 32, "img_channels": 3}


def test_init_arguments_refuse_argument_given_twice(read_module):
    record = read_module(generator(_init_args=(64,), _init_kwargs={"z_dim": 32}))
    with pytest.raises(FileFormatError, match="unnamed arguments"):
        init_arguments(record)


def test_init_arguments_keep_nested_dict(read_module):
    record = read_module(generator(_init_args=(), _init_kwargs={"mapping_kwargs": {"layers": 2}}))
    assert init_arguments(record) == {"mapping_kwargs": {"layers": 2}}


def test_module_tensors_refuse_record_of_other_kind():
    with pytest.raises(FileFormatError, match="not a persistent module"):
        module_tensors(Record("argparse", "Namespace", {}))


def nested(modules):
    state = {"_parameters": {}, "_buffers": {}, "_modules": modules}
    return Record("torch_utils.persistence", "Block", {"state": state})


def test_module_tensors_refuse_module_that_contains_itself():
    modules = {}
    record = nested(modules)
    modules["self"] = record
    with pytest.raises(FileFormatError, match="too many modules"):
        module_tensors(record)


def test_module_tensors_refuse_exponentially_shared_modules():
    record = nested({})
    for _ in range(30):
        record = nested({"a": record, "b": record})
    with pytest.raises(FileFormatError, match="too many modules"):
        module_tensors(record)


def test_persistent_module_in_torch_zip_reads(tmp_path):
    module = builders.persistent("Head", buffers={"b": builders.tensor("0", "FloatStorage", 3)})
    content = builders.torch_zip(module, {"0": WEIGHT[0].tobytes()})
    (tmp_path / "tuned.pt").write_bytes(content)
    np.testing.assert_array_equal(module_tensors(read(tmp_path / "tuned.pt"))["b"], WEIGHT[0])
