import numpy as np
import pytest

from sfe_jax.core.errors import ShapeError
from sfe_jax.metrics.equivariance import MaskedError
from sfe_jax.metrics.gaussians import feature_statistics
from sfe_jax.metrics.merging import from_bytes, merge_processes, merged, to_bytes
from sfe_jax.metrics.rows import Rows
from tests.metrics.joining import FEATURES
from tests.running import run_pair


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_all_values_are_merged(count):
    total = merged([MaskedError(2.0**index, 1.0) for index in range(count)])
    assert total == MaskedError(2.0**count - 1, count)


def test_nothing_to_merge_is_refused():
    with pytest.raises(ShapeError, match="0 values"):
        merged([])


@pytest.mark.parametrize(
    "value",
    [
        feature_statistics(np.random.default_rng(0).standard_normal((5, 3))),
        Rows(np.arange(3), np.random.default_rng(1).standard_normal((3, 2))),
        MaskedError(0.1, 3.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bytes_keep_every_bit(value):
    back = from_bytes(type(value), to_bytes(value))
    for name, expected in vars(value).items():
        np.testing.assert_array_equal(getattr(back, name), expected)


def test_one_process_keeps_its_value():
    value = MaskedError(1.0, 2.0)
    assert merge_processes(value) is value


@pytest.fixture(scope="module")
def found():
    """What each of two processes says after merging."""
    return run_pair("metrics.joining", timeout=60)


def test_both_processes_get_the_same(found):
    assert found[0] == found[1]


def test_two_processes_count_each_picture_once(found):
    assert found[0]["numbers"] == [0, 1, 2, 3, 4, 5, 6]


def test_two_processes_merge_in_float64(found):
    """1 + 1e-12 is 1 in float32."""
    assert found[0]["squares"] == 2 * (1 + 1e-12) + 1


def test_two_processes_have_the_statistics_of_one(found):
    whole = feature_statistics(FEATURES[:-1])
    np.testing.assert_allclose(found[0]["scatter"], whole.scatter, rtol=1e-12)
