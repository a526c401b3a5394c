"""Codes as files: what is written is read again; what originals write is read too."""

import zipfile

import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.latents.files import read_codes, save_codes
from sfe_jax.latents.torch_files import write_tensor
from sfe_jax.readers import read
from tests.readers import builders


def codes(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def stored(path, array, **members):
    if path.suffix == ".npz":
        np.savez(path, **members or {"w": array})
    else:
        np.save(path, array)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".PT"])
def test_codes_are_read_again_as_they_were(tmp_path, suffix):
    path = tmp_path / "new" / f"codes{suffix}"
    save_codes(path, codes(3, 6, 5))
    np.testing.assert_array_equal(read_codes(path, num_ws=6, w_dim=5), codes(3, 6, 5))


@pytest.mark.parametrize(
    ("shape", "rows"), [((2, 6, 5), 2), ((6, 5), 1), ((2, 5), 2), ((5,), 1), ((7, 5), 7)]
)
def test_every_documented_shape_is_read(tmp_path, shape, rows):
    path = stored(tmp_path / "a.npy", codes(*shape))
    assert read_codes(path, num_ws=6, w_dim=5).shape == (rows, 6, 5)


def test_a_code_without_rows_is_the_same_in_all(tmp_path):
    path = stored(tmp_path / "a.npy", codes(2, 5))
    found = read_codes(path, num_ws=6, w_dim=5)
    np.testing.assert_array_equal(found, np.stack([codes(2, 5)] * 6, axis=1))


@pytest.mark.parametrize("shape", [(6, 4), (0, 6, 5), (2, 7, 5), (4,), (1, 1, 6, 5), ()])
def test_codes_of_another_shape_are_refused_by_the_name_of_their_file(tmp_path, shape):
    path = stored(tmp_path / "a.npy", codes(*shape))
    with pytest.raises(OptionError, match=r"a\.npy: codes have shape .*; required is \[N, 6, 5\]"):
        read_codes(path, num_ws=6, w_dim=5)


def test_the_key_w_is_read_from_among_others(tmp_path):
    path = stored(tmp_path / "a.npz", None, w=codes(1, 6, 5), other=codes(3))
    assert read_codes(path, num_ws=6, w_dim=5).shape == (1, 6, 5)


def test_what_the_projector_of_rosinality_writes_is_read(tmp_path):
    def tensor(key):
        return builders.tensor(key, "FloatStorage", 5)

    content = {name: {"latent": tensor(str(key))} for key, name in enumerate("ab")}
    raw = {str(key): codes(2, 5)[key].tobytes() for key in range(2)}
    (tmp_path / "a.pt").write_bytes(builders.torch_zip(content, raw))
    found = read_codes(tmp_path / "a.pt", num_ws=6, w_dim=5)
    np.testing.assert_array_equal(found[:, 3], codes(2, 5))


def test_latents_of_several_shapes_are_refused(tmp_path):
    content = {
        name: {"latent": builders.tensor(name, "FloatStorage", size)}
        for name, size in (("a", 5), ("b", 4))
    }
    raw = {"a": codes(5).tobytes(), "b": codes(4).tobytes()}
    (tmp_path / "a.pt").write_bytes(builders.torch_zip(content, raw))
    with pytest.raises(FileFormatError, match=r"a\.pt: holds no codes; required is one array"):
        read_codes(tmp_path / "a.pt", num_ws=6, w_dim=5)


def test_an_archive_of_several_arrays_is_refused(tmp_path):
    path = stored(tmp_path / "a.npz", None, one=codes(5), two=codes(5))
    with pytest.raises(FileFormatError, match=r"a\.npz: holds no codes"):
        read_codes(path, num_ws=6, w_dim=5)


def test_a_picture_named_as_codes_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(FileFormatError, match=r"a\.npy: .*format is unknown"):
        read_codes(tmp_path / "a.npy", num_ws=6, w_dim=5)


def test_codes_that_are_not_finite_are_refused(tmp_path):
    path = stored(tmp_path / "a.npy", np.full((6, 5), np.nan))
    with pytest.raises(FileFormatError, match=r"a\.npy: has numbers that are not finite"):
        read_codes(path, num_ws=6, w_dim=5)


def test_codes_are_not_written_under_another_suffix(tmp_path):
    with pytest.raises(OptionError, match=r"a\.txt: has suffix '\.txt'"):
        save_codes(tmp_path / "a.txt", codes(1, 6, 5))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileFormatError, match=r"a\.npy: cannot be written"):
        save_codes(tmp_path / "file" / "a.npy", codes(1, 6, 5))


# Files of torch.


@pytest.mark.parametrize("shape", [(2, 6, 5), (5,), (), (0, 5)])
def test_a_tensor_of_any_shape_is_read_again(tmp_path, shape):
    write_tensor(tmp_path / "a.pt", codes(*shape))
    np.testing.assert_array_equal(read(tmp_path / "a.pt"), codes(*shape))


def test_numbers_begin_where_torch_can_map_them(tmp_path):
    write_tensor(tmp_path / "a.pt", codes(2, 6, 5))
    content = (tmp_path / "a.pt").read_bytes()
    assert content.index(codes(2, 6, 5).tobytes()) % 64 == 0


def test_equal_codes_give_equal_files(tmp_path):
    for name in ("a", "b"):
        write_tensor(tmp_path / f"{name}.pt", codes(2, 6, 5))
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_the_archive_is_sound(tmp_path):
    write_tensor(tmp_path / "a.pt", codes(2, 6, 5))
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        assert archive.testzip() is None


def test_torch_reads_what_is_written(tmp_path):
    torch = pytest.importorskip("torch")
    write_tensor(tmp_path / "a.pt", codes(2, 6, 5))
    for mapped in (False, True):
        found = torch.load(tmp_path / "a.pt", weights_only=True, mmap=mapped)
        np.testing.assert_array_equal(found.numpy(), codes(2, 6, 5))
