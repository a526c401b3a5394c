"""Strict settings for every test: eight fake CPU devices, no silent promotion."""

import os
import pathlib

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)

import jax
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(ROOT / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _shared(name: str) -> pathlib.Path:
    """The folder `name` beside the repository that holds reference vectors, or a skip."""
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"reference folder shared/{name} is not beside the repository")
    return folder


@pytest.fixture
def golden_folder() -> pathlib.Path:
    """Reference vectors of the original implementations."""
    return _shared("golden")


@pytest.fixture
def checkpoint_folder() -> pathlib.Path:
    """Small files in the official checkpoint formats."""
    return _shared("checkpoints")


@pytest.fixture
def data_folder() -> pathlib.Path:
    """Real pictures and published directions."""
    return _shared("data")


@pytest.fixture(scope="session")
def small_bundle():
    """Random networks of every role, for 64x64 pictures."""
    from sfe_jax.pipelines.random_bundle import random_bundle, small_modules

    return random_bundle(small_modules(), seed=0)


@pytest.fixture(scope="module")
def quick_programs():
    """Programs of a module's tests compile quickly, and Adam may mix the types of its counts."""
    import optax  # noqa: F401  It uses `jax.jit` while it is imported, so before that is replaced.

    from tests.compiling import quick

    with quick():
        yield
