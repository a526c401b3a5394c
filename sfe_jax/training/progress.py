"""How a run tells where it is: a bar on a terminal, lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


def describe_pace(images: float, seconds: float) -> str:
    """Images a second and seconds per thousand images."""
    if not images or not seconds:
        return "starting"
    return f"{images / seconds:.1f} img/s, {1000 * seconds / images:.2f} s/kimg"


class Report:
    """Progress of a run, on standard error.

    Args:
        name: Of the run.
        done: Images seen before.
        total: Images of the whole run.
        quiet: Says nothing, for processes beside the main one.
    """

    def __init__(self, name: str, *, done: int, total: int, quiet: bool = False):
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
        )
        live = self._console.is_terminal and not quiet
        self._bar = Progress(*columns, console=self._console, disable=not live)
        self._task = self._bar.add_task(name, total=total, completed=done, pace="compiling")
        self._name, self._total, self._live = name, total, live
        self._start, self._first = time.monotonic(), done

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """Prints a line above the bar."""
        self._console.print(message, markup=False, soft_wrap=True)

    def advance(self, images: int) -> None:
        """Moves the bar to `images`."""
        if images > self._first:
            pace = describe_pace(images - self._first, time.monotonic() - self._start)
            self._bar.update(self._task, completed=images, pace=pace)

    def restart_clock(self, images: int) -> None:
        """Leaves what came before out of the pace, such as compilation."""
        self._start, self._first = time.monotonic(), images

    def log(self, images: int, values: dict[str, float]) -> None:
        """Says the scalars in one line, where there is no bar to look at."""
        if self._live:
            return
        pace = describe_pace(images - self._first, time.monotonic() - self._start)
        figures = ", ".join(f"{name} {value:.4g}" for name, value in sorted(values.items()))
        share = 100 * images / self._total
        self.say(f"{self._name} {images} images ({share:.0f}%), {pace}: {figures}")
