import subprocess
import sys

import pytest

from sfe_jax.core.memory import keep_freed_memory

TOUCH = """
import resource, sys
from sfe_jax.core.memory import keep_freed_memory

def touch():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 128_000_000
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = sys.argv[1] == "keep" and keep_freed_memory()
touch()
print(int(kept), touch())
"""
"""Fills 128 MB twice, and says how many pages the second time mapped."""


def second_touch(mode):
    """Whether memory is kept, and the pages that the second time mapped."""
    command = [sys.executable, "-c", TOUCH, mode]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return tuple(map(int, said.split()))


def test_kept_memory_is_not_mapped_again():
    kept, faults = second_touch("keep")
    if not kept:
        pytest.skip("this C library cannot keep memory")
    assert faults < 100 < second_touch("leave")[1]


def test_other_systems_leave_memory_as_it_was(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
