"""What commands say: messages, warnings, errors."""

import sys
import warnings

from sfe_jax.core.console import console, one_line, printable


def say(message: str) -> None:
    """Prints one message, as it stands but for what is no print."""
    console().print(printable(message), markup=False, emoji=False)


def fail(message: str) -> int:
    """Prints an error in one line and gives the exit status."""
    say(f"error: {message}")
    return 2


def announce_compilation() -> None:
    """Says that the first picture takes longer."""
    say("compiling with the first picture; the programs are kept for the next time")


def show_warnings_in_one_line() -> None:
    """Prints warnings, such as one about a broken colour profile, without the line of code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        sys.stderr.write(f"warning: {one_line(str(message))}\n")

    warnings.showwarning = show
