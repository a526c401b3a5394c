"""Starts programs of the tests as processes of their own, and ends them."""

import contextlib
import json
import os
import socket
import subprocess
import sys

from tests.conftest import ROOT


@contextlib.contextmanager
def program(name, *arguments, devices=1, **environment):
    """A process of `tests.<name>`, killed at the end if it still runs."""
    settings = {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        **{key: str(value) for key, value in environment.items()},
    }
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.{name}", *map(str, arguments)],
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


def _free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def run_pair(name, *arguments, timeout):
    """What each of two joined processes of two devices says in its last line, as JSON."""
    shared = {
        "JAX_COORDINATOR_ADDRESS": f"localhost:{_free_port()}",
        "JAX_NUM_PROCESSES": 2,
    }
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                program(name, *arguments, devices=2, JAX_PROCESS_ID=index, **shared)
            )
            for index in range(2)
        ]
        said = [process.communicate(timeout=timeout) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors
    # The library that moves data between processes speaks first.
    return [json.loads(output.splitlines()[-1]) for output, _ in said]
