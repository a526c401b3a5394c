"""What commands say: messages, warnings, errors; and where JAX keeps what it compiles."""

import os
import pathlib
import sys
import warnings

from sfe_jax.core.console import console


def say(message: str) -> None:
    """Prints one message."""
    console().print(message, markup=False)


def fail(message: str) -> int:
    """Prints an error in one line and gives the exit status."""
    say(f"error: {message}")
    return 2


def announce_compilation() -> None:
    """Says that the first picture takes longer."""
    say("compiling with the first picture; the programs are kept for the next time")


def cache_folder() -> pathlib.Path:
    """Where compiled programs are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "sfe_jax" / "compiled"


def prepare_jax() -> None:
    """Turns the persistent compilation cache on. Call before the first computation."""
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def show_warnings_in_one_line() -> None:
    """Prints warnings, such as one about a broken colour profile, without the line of code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        sys.stderr.write(f"warning: {message}\n")

    warnings.showwarning = show
