import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError
from sfe_jax.metrics.gaussians import feature_statistics
from sfe_jax.metrics.statistics_files import read_statistics, write_statistics

STATISTICS = feature_statistics(np.random.default_rng(0).standard_normal((9, 4))).gaussian()


def test_statistics_come_back_as_they_were(tmp_path):
    write_statistics(tmp_path / "faces.npz", STATISTICS)
    back = read_statistics(tmp_path / "faces.npz")
    np.testing.assert_array_equal(back.mean, STATISTICS.mean)
    np.testing.assert_array_equal(back.covariance, STATISTICS.covariance)
    assert back.count == 9


def test_file_is_what_pytorch_fid_reads(tmp_path):
    write_statistics(tmp_path / "faces.npz", STATISTICS)
    with np.load(tmp_path / "faces.npz") as file:
        np.testing.assert_array_equal(file["mu"][:], STATISTICS.mean)
        np.testing.assert_array_equal(file["sigma"][:], STATISTICS.covariance)


def test_file_of_pytorch_fid_does_not_say_how_many_pictures(tmp_path):
    np.savez_compressed(tmp_path / "old.npz", mu=np.zeros(2), sigma=np.eye(2))
    assert read_statistics(tmp_path / "old.npz").count is None


def test_writing_leaves_no_other_file(tmp_path):
    write_statistics(tmp_path / "faces.npz", STATISTICS)
    assert [path.name for path in tmp_path.iterdir()] == ["faces.npz"]


def test_writers_of_one_file_do_not_share_a_temporary_name(tmp_path, monkeypatch):
    names = []
    whole = np.savez

    def write_another(path, **arrays):
        names.append(path)
        if len(names) == 1:  # While this one writes, another process does.
            write_statistics(tmp_path / "faces.npz", STATISTICS)
        whole(path, **arrays)

    monkeypatch.setattr(np, "savez", write_another)
    write_statistics(tmp_path / "faces.npz", STATISTICS)
    assert len(set(names)) == 2
    assert read_statistics(tmp_path / "faces.npz").count == 9


def test_file_without_statistics_is_refused(tmp_path):
    np.savez(tmp_path / "net.npz", weight=np.zeros(3))
    with pytest.raises(FileFormatError, match=r"net\.npz: holds \['weight'\]; required are `mu`"):
        read_statistics(tmp_path / "net.npz")


@pytest.mark.parametrize(
    ("mu", "sigma"),
    [
        (np.zeros(3), np.eye(2)),
        (np.zeros((3, 1)), np.eye(3)),
        (np.zeros(2), np.eye(2) * np.nan),
        (np.zeros(2, int), np.eye(2)),
    ],
)
def test_statistics_that_do_not_fit_are_refused(tmp_path, mu, sigma):
    np.savez(tmp_path / "odd.npz", mu=mu, sigma=sigma)
    with pytest.raises(FileFormatError, match=r"odd\.npz: `mu` is .*required are finite floats"):
        read_statistics(tmp_path / "odd.npz")


@pytest.mark.parametrize(
    "sigma", [-np.eye(2), np.array([[1.0, 0.5], [0.4, 1.0]])], ids=["negative", "unsymmetric"]
)
def test_matrix_that_is_no_covariance_is_refused(tmp_path, sigma):
    np.savez(tmp_path / "odd.npz", mu=np.zeros(2), sigma=sigma)
    with pytest.raises(FileFormatError, match=r"odd\.npz: `sigma` is no covariance"):
        read_statistics(tmp_path / "odd.npz")


@pytest.mark.parametrize("count", [1, -5, 2.7, np.nan, np.inf, 9j, "nine", [9, 9]])
def test_number_of_pictures_that_is_none_is_refused(tmp_path, count):
    np.savez(tmp_path / "odd.npz", mu=np.zeros(2), sigma=np.eye(2), n=count)
    with pytest.raises(FileFormatError, match=r"odd\.npz: `n` is .*required is a number"):
        read_statistics(tmp_path / "odd.npz")
