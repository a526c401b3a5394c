"""The console that messages go to, standard error, and the progress bar on it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

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

Bar = Callable[[Sequence[Any], str], Iterable[Any]]
"""Passes items on, and may show with a few words how far they are, as `progress` does."""


def unseen(items: Sequence[Any], what: str) -> Sequence[Any]:
    """Passes items on and shows nothing."""
    del what
    return items


def one_line(text: str) -> str:
    """`text` as it may be shown: what is not printed, line breaks too, stands as its escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable(text: str) -> str:
    """As `one_line`, but listings keep their lines, which begin with two blanks.

    Names out of files may hold what colours a terminal, or what looks like a message of its own.
    """
    return "\n  ".join(map(one_line, text.split("\n  ")))


def console() -> Console:
    """The console that messages go to."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console()) as bar:
        yield from bar.track(items, total=total, description=what)
