"""Where the library keeps what it can make again: compiled programs, drawn pictures."""

import os
import pathlib


def cache_folder(name: str) -> pathlib.Path:
    """The folder `name` of the user's cache, by the XDG convention; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "sfe_jax" / name


def keep_compiled() -> None:
    """Turns JAX's persistent compilation cache on. Call before the first computation."""
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
