import jax
import numpy as np
import pytest

from sfe_jax.core.errors import FileFormatError, OptionError
from sfe_jax.evaluation.extraction import Extractor
from sfe_jax.evaluation.sets import PictureSet
from sfe_jax.evaluation.statistics_cache import cached_reading, reading_key
from sfe_jax.metrics.statistics_files import read_statistics
from sfe_jax.parallel.mesh import make_mesh
from tests.evaluation.pictures import colour_network, noise_set


@pytest.fixture
def pictures(tmp_path):
    return noise_set(tmp_path / "noise", 5)


def extractor(digest="colours"):
    return Extractor(colour_network(digest), make_mesh(devices=jax.devices()[:1]))


def reading_of(pictures, folder, *, network="colours", features=False):
    return cached_reading(
        pictures,
        extractor(network),
        batch_size=2,
        what="reading",
        folder=folder,
        keep_features=features,
    )


@pytest.fixture
def unread(monkeypatch):
    """From here on no picture may be read."""

    def refuse(*_, **__):
        raise AssertionError("a picture was read")

    return lambda: monkeypatch.setattr(PictureSet, "batches", refuse)


def test_second_reading_comes_from_the_disk(pictures, tmp_path, unread):
    first = reading_of(pictures, tmp_path / "cache", features=True)
    unread()
    second = reading_of(pictures, tmp_path / "cache", features=True)
    np.testing.assert_array_equal(second.gaussian.covariance, first.gaussian.covariance)
    np.testing.assert_array_equal(second.features, first.features)
    assert second.count == 5


def test_statistics_are_a_file_of_pytorch_fid(pictures, tmp_path):
    reading = reading_of(pictures, tmp_path)
    (path,) = tmp_path.glob("*.npz")
    assert path.stem == reading_key(pictures, colour_network())
    np.testing.assert_array_equal(read_statistics(path).mean, reading.gaussian.mean)


def test_another_network_reads_anew(pictures, tmp_path, unread):
    reading_of(pictures, tmp_path)
    unread()
    with pytest.raises(AssertionError, match="a picture was read"):
        reading_of(pictures, tmp_path, network="others")


def test_rows_are_read_anew_where_statistics_alone_are_kept(pictures, tmp_path):
    reading_of(pictures, tmp_path)
    assert reading_of(pictures, tmp_path, features=True).features.shape == (5, 3)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_broken_file_is_named_with_the_remedy(pictures, tmp_path, kind):
    reading_of(pictures, tmp_path, features=True)
    (path,) = tmp_path.glob(f"*.{kind}")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(
        FileFormatError, match=rf"reading is broken; remove this file: .*{path.name}"
    ):
        reading_of(pictures, tmp_path, features=True)


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (np.zeros((4, 3), np.float32), r"has shape \(4, 3\); required are finite numbers \(5, D\)"),
        (np.full((5, 3), np.nan, np.float32), "required are finite numbers"),
        (np.zeros((5, 3), np.int64), "required is one array of float32"),
        (np.full((5, 3), "a"), "required is one array of float32"),
    ],
    ids=["other pictures", "NaN", "whole numbers", "text"],
)
def test_rows_that_do_not_fit_are_named(pictures, tmp_path, rows, error):
    reading_of(pictures, tmp_path, features=True)
    (path,) = tmp_path.glob("*.npy")
    np.save(path, rows)
    with pytest.raises(FileFormatError, match=error):
        reading_of(pictures, tmp_path, features=True)


def test_folder_that_is_a_file_is_named(pictures, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"file/.*\.npz: cannot be written"):
        reading_of(pictures, tmp_path / "file")
