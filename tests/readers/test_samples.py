import numpy as np
import pytest

from sfe_jax.readers import Format, module_tensors, read, sniff

GRID = np.arange(24).reshape(4, 6)
CHECKPOINTS = [
    ("legacy_format.pt", Format.TORCH_LEGACY),
    ("rosinality.pt", Format.TORCH_ZIP),
    ("rosinality.expected.npz", Format.NPZ),
    ("stylegan2-ada.pkl", Format.PICKLE),
    ("stylegan3-t.pkl", Format.PICKLE),
    ("tensor_kinds.pt", Format.TORCH_ZIP),
    ("lpips/alex.pth", Format.TORCH_LEGACY),
    ("lpips/squeeze.pth", Format.TORCH_LEGACY),
    ("lpips/vgg.pth", Format.TORCH_LEGACY),
    ("mtcnn/pnet.npy", Format.NPY),
    ("mtcnn/rnet.npy", Format.NPY),
    ("mtcnn/onet.npy", Format.NPY),
]
KINDS = {
    "bf16": ("bfloat16", GRID),
    "f16": ("float16", GRID),
    "i64": ("int64", GRID),
    "shared_a": ("float32", GRID),
    "shared_b": ("float32", GRID.T),
    "param": ("float32", GRID),
    "view": ("float32", GRID[1:3, 0:6:2]),
    "empty": ("float32", np.zeros((0, 3))),
    "scalar": ("float32", np.array(3.5)),
}
DIRECTIONS = ["age.pt", "rotation.pt", "smile.pt"]
COMPONENTS = ["cars_pca.pt", "church_pca.pt", "ffhq_pca.pt"]


@pytest.mark.parametrize(("name", "expected"), CHECKPOINTS)
def test_sniff_tells_format_of_sample(checkpoint_folder, name, expected):
    assert sniff(checkpoint_folder / name) is expected


@pytest.mark.parametrize("name", [name for name, _ in CHECKPOINTS])
def test_sample_reads_as_dict_with_text_keys(checkpoint_folder, name):
    content = read(checkpoint_folder / name)
    assert content
    assert all(isinstance(key, str) for key in content)


@pytest.mark.parametrize("kind", KINDS)
def test_tensor_kind_has_dtype_and_values(checkpoint_folder, kind):
    dtype, expected = KINDS[kind]
    array = read(checkpoint_folder / "tensor_kinds.pt")[kind]
    assert array.dtype.name == dtype
    np.testing.assert_array_equal(array.astype(np.float64), expected)


def test_bool_tensor_kind_has_values(checkpoint_folder):
    array = read(checkpoint_folder / "tensor_kinds.pt")["b"]
    assert array.dtype == np.bool_
    assert array.shape == (4, 6)


def test_tensors_of_one_storage_share_memory(checkpoint_folder):
    kinds = read(checkpoint_folder / "tensor_kinds.pt")
    assert np.shares_memory(kinds["shared_a"], kinds["shared_b"])


@pytest.mark.parametrize(
    ("name", "key"),
    [("stylegan2-ada.pkl", "synthesis.b4.const"), ("stylegan3-t.pkl", "synthesis.input.freqs")],
)
def test_official_pickle_holds_family_key(checkpoint_folder, name, key):
    assert key in module_tensors(read(checkpoint_folder / name)["G_ema"])


def test_mtcnn_first_convolution_has_its_shape(checkpoint_folder):
    weights = read(checkpoint_folder / "mtcnn" / "pnet.npy")
    assert weights["features.conv1.weight"].shape == (10, 3, 3, 3)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_direction_has_one_latent(data_folder, name):
    assert read(data_folder / "directions" / name).size == 512


@pytest.mark.parametrize("name", COMPONENTS)
def test_components_have_their_parts(data_folder, name):
    assert read(data_folder / "directions" / name).keys() == {"mean", "std", "comp"}


def test_style_statistics_have_two_lists_of_one_length(data_folder):
    mean, deviation = read(data_folder / "directions" / "S_mean_std")
    assert len(mean) == len(deviation) == 26
