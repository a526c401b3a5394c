"""Builds the library of kernels with CMake, into a cache folder that is keyed by the sources."""

import hashlib
import os
import pathlib
import shutil
import subprocess
from typing import Literal, get_args

import jax

from sfe_jax.core.cache import cache_folder
from sfe_jax.core.errors import OptionError, SfeError

Device = Literal["cuda", "host"]
"""For NVIDIA's GPUs, or for the processor, where the same sources run for tests."""

SOURCE = pathlib.Path(__file__).parent / "source"

TOOLS: dict[Device, dict[str, str]] = {
    "host": {
        "cmake": "install CMake, such as by apt install cmake",
        "c++": "install a C++ compiler, such as by apt install g++",
    },
    "cuda": {
        "cmake": "install CMake, such as by apt install cmake",
        "c++": "install a C++ compiler, such as by apt install g++",
        "nvcc": "install the CUDA toolkit and put its folder bin on the PATH",
    },
}
"""Programs that a build needs -> how they are got."""


class BuildError(SfeError):
    """The library of kernels cannot be built."""


def library_path(device: Device, folder: pathlib.Path | None = None) -> pathlib.Path:
    """Where the library of the present sources is, or would be.

    Args:
        device: "cuda" or "host".
        folder: In place of the cache folder.

    Raises:
        OptionError: If `device` is another.
    """
    if device not in get_args(Device):
        raise OptionError(f"`device` is {device!r}; choose one of {', '.join(get_args(Device))}")
    digest = hashlib.sha256(jax.__version__.encode())  # Its headers are compiled in.
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return (
        (folder or cache_folder("kernels"))
        / f"{device}-{digest.hexdigest()[:16]}"
        / "sfe_kernels.so"
    )


def _run(command: list[str], log: pathlib.Path) -> None:
    with log.open("a") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)  # noqa: S603
    if done.returncode:
        lines = [line.strip() for line in log.read_text().splitlines()]
        said = next((line for line in lines if "rror" in line), "nothing")
        raise BuildError(
            f"{command[0]} ended with code {done.returncode} and said: {said}; "
            f"all it said is in {log}"
        )


def build(
    device: Device,
    *,
    folder: pathlib.Path | None = None,
    architectures: str | None = None,
) -> pathlib.Path:
    """Builds the library, unless it is there.

    Args:
        device: "cuda" or "host".
        folder: In place of the cache folder.
        architectures: Of GPUs, such as "80;90". None = 80, 86, 89, 90 and 100, as far as the
            compiler knows them.

    Returns:
        The library.

    Raises:
        OptionError: If `device` is another.
        BuildError: If a program is missing, or fails.
    """
    library = library_path(device, folder)
    if library.exists():
        return library
    for tool, remedy in TOOLS[device].items():
        if shutil.which(tool) is None:
            raise BuildError(f"{tool} is not found, which the {device} library needs; {remedy}")
    # Built aside and moved when whole, so that two builds at once do no harm.
    work = library.parent / f"build-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    settings = {"DEVICE": device, "XLA_INCLUDE": jax.ffi.include_dir()}
    if architectures:
        settings["ARCHITECTURES"] = architectures
    options = [f"-D{name}={value}" for name, value in settings.items()]
    log = work / "log.txt"
    _run(["cmake", "-S", str(SOURCE), "-B", str(work), *options], log)
    _run(["cmake", "--build", str(work)], log)
    (work / library.name).replace(library)
    shutil.rmtree(work)
    return library
