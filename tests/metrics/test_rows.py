import jax
import numpy as np
import pytest

from sfe_jax.core.errors import ImageError, ShapeError
from sfe_jax.metrics.merging import merged
from sfe_jax.metrics.rows import PADDING, Rows, rows_of
from sfe_jax.parallel.mesh import batch_sharding, make_mesh

SCORES = Rows(np.arange(4), np.array([0.5, 0.1, 0.9, 0.1]))


def test_order_of_merging_does_not_matter():
    values = np.random.default_rng(0).standard_normal((7, 2))
    parts = [Rows(np.arange(7)[at], values[at]) for at in ([4, 6], [5, 0, 1], [3, 2])]
    for order in ([0, 1, 2], [2, 0, 1]):
        np.testing.assert_array_equal(merged([parts[i] for i in order]).values, values)


def test_picture_counted_twice_is_refused():
    with pytest.raises(ShapeError, match="picture 2 is counted twice"):
        SCORES.merge(Rows(np.array([2]), np.array([0.9])))


def test_rows_without_a_number_each_are_refused():
    with pytest.raises(ShapeError, match=r"numbers \(2,\)"):
        Rows(np.arange(2), np.zeros(3))


def test_rows_that_pad_a_batch_are_left_out():
    rows = rows_of(np.array([7, PADDING, 3, PADDING]), np.array([1.0, np.nan, 2.0, 5.0]))
    assert (rows.numbers.tolist(), rows.values.tolist()) == ([3, 7], [2, 1])


def test_picture_without_finite_values_is_named():
    with pytest.raises(ImageError, match="picture 7 gives values that are not finite"):
        rows_of(np.array([3, 7]), np.array([[1.0, 2.0], [np.inf, 0.0]]))


@pytest.mark.parametrize("model", [1, 2, 8])
def test_rows_on_eight_devices_count_once(model):
    sharding = batch_sharding(make_mesh(model=model))
    numbers, values = np.arange(16, dtype=np.int32), np.random.default_rng(0).random((16, 3))
    values = values.astype(np.float32)
    rows = rows_of(jax.device_put(numbers, sharding), jax.device_put(values, sharding))
    np.testing.assert_array_equal(rows.values, values)


def test_mean_is_that_of_float64_when_values_are_float32():
    values = np.full(3000, 0.1, np.float32)
    assert Rows(np.arange(3000), values).mean == pytest.approx(float(np.float32(0.1)), rel=1e-14)


def test_deviation_is_that_of_the_population():
    assert SCORES.deviation == pytest.approx(np.sqrt((0.1**2 + 2 * 0.3**2 + 0.5**2) / 4))


def test_largest_values_come_first():
    assert SCORES.largest(2).tolist() == [2, 0]


def test_smallest_values_come_first_and_ties_by_number():
    assert SCORES.smallest(3).tolist() == [1, 3, 0]


def test_length_is_the_number_of_pictures():
    assert len(SCORES) == 4
