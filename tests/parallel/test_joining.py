import jax
import jax.numpy as jnp
import pytest

from sfe_jax.checkpoints import Checkpoints
from sfe_jax.parallel.mesh import make_mesh
from sfe_jax.writers import LOG, read_log
from tests.parallel.joining import like, state
from tests.running import run_pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("joined")


@pytest.fixture(scope="module")
def found(folder):
    """What each of two processes found out."""
    return run_pair("parallel.joining", folder, timeout=60)


def test_one_of_two_processes_is_the_main_one(found):
    assert [(each["joined"], each["main"]) for each in found] == [(True, True), (True, False)]


def test_each_process_reads_its_part_of_the_batch(found):
    assert [each["shard"] for each in found] == [[0, 2], [1, 2]]
    assert [each["samples"] for each in found] == [[0, 0, 1, 1]] * 2


def test_two_processes_restore_what_they_saved(found):
    assert [(each["restored"], each["meta"]) for each in found] == [(True, {"step": 2})] * 2


def test_main_process_alone_writes_the_log(found, folder):
    assert [line["step"] for line in read_log(folder / LOG)] == [2]


@pytest.mark.usefixtures("found")
def test_one_process_restores_the_state_of_two(folder):
    mesh = make_mesh(data=4, model=2)
    with Checkpoints(folder / "checkpoints", read_only=True) as checkpoints:
        restored, _ = checkpoints.restore(like(mesh))
    same = jax.tree.map(lambda a, b: bool(jnp.all(a == b)), restored, state())
    assert all(same.values())
