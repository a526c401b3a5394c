"""Two processes train, stop and go on as one."""

import jax
import numpy as np
import pytest

from tests.running import run_pair
from tests.training.joining import RECIPE
from tests.training.toys import released, run, values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("joined")


@pytest.fixture(scope="module")
def found(folder):
    """What each process said at its end."""
    return run_pair("training.joining", folder, timeout=150)


def test_processes_stop_together_when_one_is_asked(found):
    # They ask each other every 16 steps.
    assert found == [{"devices": 4, "stopped": [14, 16]}] * 2


@pytest.mark.usefixtures("found")
def test_two_processes_train_what_one_does(folder, tmp_path):
    run(tmp_path, RECIPE)
    joined, alone = values(folder), values(tmp_path)
    assert joined.keys() == alone.keys() == {5, 10, 15, 20}
    for step, line in alone.items():
        assert joined[step] == pytest.approx(line, rel=1e-4)
    # Sums over samples are taken in another order, and Adam divides by their size.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        released(folder),
        released(tmp_path),
    )
