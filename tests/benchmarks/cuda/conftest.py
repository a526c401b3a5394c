import shutil

import pytest

from benchmarks.cuda.building import TOOLS, build
from benchmarks.cuda.library import load
from tests.conftest import ROOT

KERNELS = ROOT / ".cache" / "kernels"
"""Where tests keep what they built, so that unchanged sources are built once."""


def need(device):
    """Skips where a program that the build needs is missing."""
    if missing := [tool for tool in TOOLS[device] if shutil.which(tool) is None]:
        pytest.skip(f"{missing[0]} is not found")


@pytest.fixture(scope="session")
def kernels():
    """The kernels, on the processor."""
    need("host")
    build("host", folder=KERNELS)
    load("host", KERNELS)


@pytest.fixture
def cuda_kernels_folder():
    """Where the library for GPUs is kept; skips where it cannot be built."""
    need("cuda")
    return KERNELS
