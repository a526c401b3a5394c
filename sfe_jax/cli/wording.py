"""What help, and errors of the library, say to those who type commands."""

import inspect
import re
from collections.abc import Callable

from sfe_jax.core.errors import SfeError

OPTIONS = {
    "attributes": "--attribute",
    "batch_size": "--batch",
    "class_index": "--class",
    "codes": "--codes",
    "crop": "--crop",
    "direction_arrays": "--directions FOLDER",
    "factor": "--factor",
    "method": "--method",
    "moved_rows": "--rows",
    "picture": "--picture",
    "points": "--points",
    "preserve": "--preserve",
    "reach": "--reach",
    "samples": "--samples",
    "scores": "--scores",
}
"""Arguments of the library, and the options that commands pass as them."""


def in_options(error: SfeError) -> str:
    """What an error says, with options in place of the library's arguments."""
    message = str(error)
    for argument, option in OPTIONS.items():
        message = message.replace(f"`{argument}`", option)
    return message


def unwrap_help(command: Callable[..., None]) -> Callable[..., None]:
    """Puts the description of each argument into one line of a command's docstring.

    tyro breaks lines as wide as the terminal is, but keeps those of such descriptions too.

    Returns:
        The command; a wrapper would not do, since tyro looks below it.
    """
    command.__doc__ = re.sub(r"\n {8,}", " ", inspect.getdoc(command) or "")
    return command
