import pathlib

import jax
import pytest

from sfe_jax.core.cache import cache_folder, keep_compiled


@pytest.fixture
def _kept_settings():
    """What the function changes would outlive a test."""
    folder = jax.config.jax_compilation_cache_dir
    least = jax.config.jax_persistent_cache_min_compile_time_secs
    yield
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)


def test_folder_is_below_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder("data") == pathlib.Path("/elsewhere/sfe_jax/data")


@pytest.mark.parametrize("unset", [True, False])
def test_folder_is_below_the_home_where_no_cache_is_named(monkeypatch, unset):
    monkeypatch.setenv("HOME", "/somebody")
    if unset:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder("data") == pathlib.Path("/somebody/.cache/sfe_jax/data")


@pytest.mark.usefixtures("_kept_settings")
def test_programs_are_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "sfe_jax" / "compiled")


@pytest.mark.usefixtures("_kept_settings")
def test_programs_are_kept_where_the_user_says(monkeypatch):
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir == before  # JAX has read the variable itself.
