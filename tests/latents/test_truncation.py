"""Truncation about one centre and about several."""

import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.core.errors import OptionError
from sfe_jax.latents.truncation import cluster_centers, nearest_centers, truncate_about
from sfe_jax.models.mapping import truncate

WS = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
CENTER = np.random.default_rng(1).standard_normal(5).astype(np.float32)


@pytest.mark.parametrize("cutoff", [None, 0, 2, 9])
def test_codes_are_those_that_the_mapping_network_truncates(cutoff):
    found = truncate_about(WS, CENTER, psi=0.7, cutoff=cutoff)
    expected = truncate(jnp.asarray(WS), jnp.asarray(CENTER), psi=0.7, cutoff=cutoff)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_psi_above_one_exaggerates():
    found = truncate_about(WS, CENTER, psi=1.5)
    np.testing.assert_allclose(found - CENTER, 1.5 * (WS - CENTER), rtol=1e-5, atol=1e-6)


def test_psi_one_keeps_codes_bit_for_bit():
    assert truncate_about(WS, 1e6 * CENTER, psi=1) is WS


def test_every_code_may_have_a_centre_of_its_own():
    centers = WS[::-1, :1]
    found = truncate_about(WS, centers, psi=0)
    np.testing.assert_allclose(found, np.broadcast_to(centers, WS.shape))


def test_truncated_codes_keep_their_type():
    assert truncate_about(WS, CENTER.astype(np.float64), psi=0.5).dtype == np.float32


def clusters():
    """Codes about three corners, of 30, 20 and 10; the second coordinate is wide."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [10, 0], [0, 1000]], np.float32)
    spread = np.array([0.1, 10], np.float32)
    counts = (30, 20, 10)
    groups = [
        corner + spread * rng.standard_normal((n, 2))
        for corner, n in zip(corners, counts, strict=True)
    ]
    return corners, np.concatenate(groups).astype(np.float32)


def test_clusters_are_found_and_sorted_by_size():
    corners, w = clusters()
    # Five standard deviations of a mean of ten.
    error = np.abs(cluster_centers(w, 3) - corners) / np.array([0.1, 10])
    assert error.max() < 5 / np.sqrt(10)


def test_one_cluster_is_the_mean():
    _, w = clusters()
    np.testing.assert_allclose(cluster_centers(w, 1)[0], w.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("count", [0, 61])
def test_a_number_of_clusters_that_cannot_be_is_refused(count):
    with pytest.raises(OptionError, match=f"{count} clusters; required are 1 to 60"):
        cluster_centers(clusters()[1], count)


def test_equal_codes_count_as_one():
    w = np.repeat(np.eye(2, dtype=np.float32), 5, axis=0)
    with pytest.raises(OptionError, match="3 clusters; required are 1 to 2"):
        cluster_centers(w, 3)


def test_the_nearest_centre_is_that_of_the_mean_row():
    corners, _ = clusters()
    ws = np.array([[[9, 1], [11, -1]], [[0, 900], [1, 2]]], np.float32)
    found = nearest_centers(ws, corners[:, None])
    np.testing.assert_array_equal(found, np.stack([corners[1:2], corners[:1]]))


def test_a_centre_may_have_rows_of_its_own():
    np.testing.assert_array_equal(nearest_centers(WS[::-1], WS), WS[::-1])
