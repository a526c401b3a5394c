"""Two processes train, stop and go on as one."""

import contextlib
import json
import socket

import jax
import numpy as np
import pytest

from tests.training.joining import RECIPE
from tests.training.running import program
from tests.training.toys import released, run, values


def _free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("joined")


@pytest.fixture(scope="module")
def found(folder):
    """What each process said at its end."""
    shared = {
        "JAX_COORDINATOR_ADDRESS": f"localhost:{_free_port()}",
        "JAX_NUM_PROCESSES": 2,
    }
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                program("joining", folder, devices=2, JAX_PROCESS_ID=index, **shared)
            )
            for index in range(2)
        ]
        said = [process.communicate(timeout=150) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors
    # The library that moves data between processes speaks first.
    return [json.loads(output.splitlines()[-1]) for output, _ in said]


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
