"""Two processes train, stop and go on as one; or one of them goes on alone."""

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


def assert_near(joined, alone):
    """Two runs are the same but for the order in which sums over samples are taken."""
    lines = values(joined), values(alone)
    assert lines[0].keys() == lines[1].keys() == {5, 10, 15, 20}
    for step, line in lines[1].items():
        assert lines[0][step] == pytest.approx(line, rel=1e-4)
    jax.tree.map(  # Adam divides by the size of those sums.
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        released(joined),
        released(alone),
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    run(folder, RECIPE)
    return folder


@pytest.mark.usefixtures("found")
def test_two_processes_train_what_one_does(folder, alone):
    assert_near(folder / "whole", alone)


@pytest.mark.usefixtures("found")
def test_one_process_goes_on_with_the_run_of_two(folder, alone):
    run(folder / "stopped", RECIPE)
    assert_near(folder / "stopped", alone)
