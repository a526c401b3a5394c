import os

import jax
import pytest
from jax.experimental import multihost_utils

from sfe_jax.core.errors import OptionError
from sfe_jax.parallel.processes import barrier, initialize, is_main_process


@pytest.fixture
def joined(monkeypatch):
    """The arguments with which `jax.distributed.initialize` was called."""
    calls = []
    for name in ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jax.distributed, "initialize", lambda *given: calls.append(given))
    return calls


def test_process_without_any_description_is_alone(joined):
    assert initialize() is False
    assert joined == []


def test_arguments_describe_the_processes(joined):
    assert initialize("host:1", count=2, index=1) is True
    assert joined == [("host:1", 2, 1)]


def test_environment_describes_the_processes(joined, monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "host:1")
    monkeypatch.setenv("JAX_NUM_PROCESSES", "4")
    monkeypatch.setenv("JAX_PROCESS_ID", "3")
    assert initialize() is True
    assert joined == [("host:1", 4, 3)]


def test_auto_leaves_the_description_to_jax(joined):
    assert initialize("auto") is True
    assert joined == [()]


def test_auto_of_the_environment_is_no_address_for_jax(monkeypatch):
    met = []
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "auto")
    monkeypatch.setattr(jax.distributed, "initialize", lambda: met.append(dict(os.environ)))
    assert initialize() is True
    assert "JAX_COORDINATOR_ADDRESS" not in met[0]


@pytest.mark.parametrize(
    ("address", "numbers"),
    [
        ("host:1", {}),
        ("host:1", {"count": 2}),
        (None, {"count": 2, "index": 0}),
        ("host:1", {"count": 2, "index": 2}),
        ("host:1", {"count": 2, "index": -1}),
    ],
)
def test_partial_description_is_refused(joined, address, numbers):
    with pytest.raises(OptionError, match="not described"):
        initialize(address, **numbers)
    assert joined == []


def test_number_that_is_none_is_refused(joined, monkeypatch):
    monkeypatch.setenv("JAX_NUM_PROCESSES", "many")
    with pytest.raises(OptionError, match="JAX_NUM_PROCESSES is 'many'"):
        initialize("host:1", index=0)


def test_process_that_is_alone_is_the_main_one():
    assert is_main_process()


def test_barrier_waits_under_its_name(monkeypatch):
    names = []
    monkeypatch.setattr(multihost_utils, "sync_global_devices", names.append)
    barrier("loaded")
    assert names == ["loaded"]
