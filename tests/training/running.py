"""Starts the programs of this folder as processes of their own, and ends them."""

import contextlib
import os
import subprocess
import sys

from tests.conftest import ROOT


@contextlib.contextmanager
def program(name, *arguments, devices=1, **environment):
    """A process of `tests.training.<name>`, killed at the end if it still runs."""
    settings = {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        **{key: str(value) for key, value in environment.items()},
    }
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.training.{name}", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
