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
