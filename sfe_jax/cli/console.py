"""What commands say: progress, compilation, warnings, errors; on standard error."""

import os
import pathlib
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")


def console() -> Console:
    """The console that messages go to."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Prints one message."""
    console().print(message, markup=False)


def fail(message: str) -> int:
    """Prints an error in one line and gives the exit status."""
    say(f"error: {message}")
    return 2


def progress(items: Iterable[Item], what: str, *, total: int | None = None) -> Iterator[Item]:
    """Passes `items` on under a progress bar.

    Args:
        items: What is worked on.
        what: A few words in front of the bar.
        total: How many; None asks `items`.

    Yields:
        The items.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console()) as bar:
        yield from bar.track(items, total=total, description=what)


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
