"""Loads the library of kernels and tells XLA of its functions."""

import ctypes
import functools
import pathlib

import jax

from benchmarks.cuda.building import BuildError, Device, library_path

TARGETS = (
    "sfe_pointwise",
    "sfe_pointwise_gradient",
    "sfe_resample",
    "sfe_filtered_forward",
    "sfe_filtered_keeping_signs",
    "sfe_filtered_backward",
)
"""Names of the functions, in the library and in XLA."""

PLATFORMS: dict[Device, str] = {"cuda": "CUDA", "host": "cpu"}
"""XLA's name of what a library runs on."""


@functools.cache
def load(device: Device, folder: pathlib.Path | None = None) -> None:
    """Loads the library that was built of the present sources; once.

    Args:
        device: "cuda" or "host".
        folder: In place of the cache folder.

    Raises:
        BuildError: If there is none, or the system refuses it.
    """
    path = library_path(device, folder)
    if not path.exists():
        raise BuildError(
            f"the {device} library of the CUDA kernels is not built; "
            f"run python -m benchmarks.cuda build --device {device}"
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path} cannot be loaded: {error}; delete it and build again") from None
    for target in TARGETS:
        function = jax.ffi.pycapsule(getattr(library, target))
        jax.ffi.register_ffi_target(target, function, platform=PLATFORMS[device])


@functools.cache
def unavailable(device: Device = "cuda", folder: pathlib.Path | None = None) -> str | None:
    """Why the kernels cannot run here, in one sentence; None if they can, and are loaded.

    Never fails, so that a report can say it once and go on.
    """
    backend = jax.default_backend()
    wanted = {"cuda": "gpu", "host": "cpu"}[device]
    if backend != wanted:
        return f"the CUDA kernels need JAX to run on {wanted}; here it runs on {backend}"
    try:
        load(device, folder)
    except BuildError as error:
        return str(error)
    return None
