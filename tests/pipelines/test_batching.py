"""Batches of one size, whose last is filled up."""

import jax.numpy as jnp
import numpy as np
import pytest

from sfe_jax.pipelines.batching import compute_rows, in_batches


def test_padding_of_the_last_batch_repeats_its_last_row():
    seen = []
    in_batches(lambda x: seen.append(np.asarray(x)) or x, 2, np.arange(3))
    assert [batch.tolist() for batch in seen] == [[0, 1], [2, 2]]


def test_padding_of_the_last_batch_is_not_returned():
    results = in_batches(lambda x: x * 10, 4, np.arange(6))
    assert np.concatenate(results).tolist() == [0, 10, 20, 30, 40, 50]


def test_batches_slice_every_leaf_of_every_tree():
    trees = {"a": np.arange(3), "b": np.arange(3) * 2}, np.arange(3) * 3
    results = in_batches(lambda tree, x: tree["a"] + tree["b"] + x, 2, *trees)
    assert np.concatenate(results).tolist() == [0, 6, 12]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_rows_do_not_depend_on_how_many_are_computed_together(size):
    x = np.arange(3.0)
    found = compute_rows(lambda pair: {"sum": pair[0] + jnp.asarray(pair[1])}, size, (x, 2 * x))
    np.testing.assert_array_equal(found["sum"], 3 * x)
