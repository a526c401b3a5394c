"""A run that is killed again and again ends as one that was not."""

import functools
import signal
import time

import numpy as np
import pytest

from tests.running import program
from tests.training.killing import KINDS
from tests.training.toys import assert_same_runs, saved_steps

LIMIT = 900
"""Seconds after which a process hangs; pytest may lose patience before."""


def _start(kind, folder, cache):
    return program(
        "training.killing", kind, folder,
        JAX_COMPILATION_CACHE_DIR=cache, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0,
    )  # fmt: skip


def _finish(kind, folder, cache):
    with _start(kind, folder, cache) as process:
        _, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, errors


def _signal(kind, folder, cache, *, number, batches, delay=0.0):
    """Starts a run, sends it a signal some seconds after its n-th batch; status and messages."""
    with _start(kind, folder, cache) as process:
        for _ in range(batches):
            assert process.stdout.readline() == "batch\n", process.stderr.read()
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate(timeout=LIMIT)
    return process.returncode, errors


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def _kill(kind, folder, cache, random, *, batches):
    """Kills a run at a random moment after some batches; gives its newest checkpoint."""
    count, delay = int(random.integers(1, batches)), random.uniform(0, 0.1)
    status, _ = _signal(kind, folder, cache, number=signal.SIGKILL, batches=count, delay=delay)
    assert status == -signal.SIGKILL
    return max(saved_steps(folder), default=0)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory, cache):
    """Gives runs of a kind that were not killed."""

    @functools.cache
    def whole(kind):
        folder = tmp_path_factory.mktemp(kind)
        _finish(kind, folder, cache)
        return folder

    return whole


def test_run_killed_twice_and_stopped_once_equals_one_that_was_not(tmp_path, cache, wholes):
    random = np.random.default_rng(0)
    for _ in range(2):
        _kill("toy", tmp_path, cache, random, batches=20)
    status, said = _signal("toy", tmp_path, cache, number=signal.SIGTERM, batches=2)
    assert status == 0, said
    assert "start again to go on from there" in said
    _finish("toy", tmp_path, cache)
    assert_same_runs(tmp_path, wholes("toy"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_gan_killed_five_times_equals_one_that_was_not(tmp_path, cache, wholes, seed):
    random = np.random.default_rng(seed)
    reached = [_kill("gan", tmp_path, cache, random, batches=25) for _ in range(5)]
    print(f"newest checkpoints after each kill: {reached}")
    _finish("gan", tmp_path, cache)
    assert_same_runs(tmp_path, wholes("gan"), KINDS["gan"]()[1])
