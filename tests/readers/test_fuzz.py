import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers import read
from tests.readers import builders

ARRAY = np.arange(6, dtype=np.float32)
PERSISTENT = builders.persistent("Net", buffers={"b": builders.persistent_tensor(ARRAY)})


def options(legacy):
    state = {"weight": builders.tensor("0", "FloatStorage", 6, legacy=legacy), "step": 3}
    return {"state_dict": state, "opts": builders.New(builders.Name("argparse", "Namespace"), {})}


SEEDS = {
    "torch zip": builders.torch_zip(options(False), {"0": ARRAY.tobytes()}),
    "torch legacy": builders.torch_legacy(options(True), {"0": (6, ARRAY.tobytes())}),
    "TorchScript": builders.torch_zip(
        builders.New(builders.Name("__torch__", "Net"), {"a": 1}),
        extra=[("model/constants.pkl", b"")],
    ),
    "NVIDIA pickle": builders.dump(PERSISTENT, 4),
    "NumPy pickle": builders.dump([builders.array_state(ARRAY), {"a": (1, 2.5, "x")}]),
    "npy": builders.npy_of(ARRAY),
    "npz": builders.pack([("a.npy", builders.npy_of(ARRAY))]),
    "safetensors": builders.safetensors(
        {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}, ARRAY.tobytes()
    ),
}


def damaged(content, random):
    """Up to four bytes changed, then cut or not, or a stretch repeated."""
    data = bytearray(content)
    for _ in range(random.integers(0, 5)):
        data[random.integers(len(data))] = random.integers(256)
    kind = random.integers(4)
    if kind == 0:
        del data[random.integers(len(data)) :]
    if kind == 1:
        start, end = sorted(random.integers(len(data), size=2))
        data[end:end] = data[start:end]
    return bytes(data)


@pytest.mark.parametrize("seed", SEEDS)
def test_undamaged_file_reads(tmp_path, seed):
    (tmp_path / "file").write_bytes(SEEDS[seed])
    assert read(tmp_path / "file") is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_file_reads_or_is_refused(tmp_path, seed):
    random = np.random.default_rng(20261121)
    refusals = []
    for _ in range(300):
        (tmp_path / "file").write_bytes(damaged(SEEDS[seed], random))
        try:
            read(tmp_path / "file")
        except FileFormatError as error:
            refusals.append(str(error))
    assert refusals
    assert all(message.isprintable() for message in refusals)
