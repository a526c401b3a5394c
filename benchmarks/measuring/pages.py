"""What the pages of measurements share: where figures come from, and how they are written."""

import dataclasses
import json
import pathlib
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import jax

from sfe_jax.cli.console import fail
from sfe_jax.core.errors import OptionError, SfeError
from sfe_jax.core.files import written_whole
from sfe_jax.readers import sha256


def provenance(weights: pathlib.Path) -> dict[str, str]:
    """What figures depend on besides the options."""
    return {
        "weights": weights.name,
        "sha256": sha256(weights),
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        **{name: version(name) for name in ("jax", "flax", "numpy")},
    }


def page_path(name: str) -> pathlib.Path:
    """The file of a page, named on the command line; refused before anything is measured.

    Raises:
        OptionError: If its name does not end in .md, so that the JSON beside it could replace it.
    """
    path = pathlib.Path(name)
    if path.suffix != ".md":
        raise OptionError(f"--out is {name}; required is a name ending in .md")
    return path


def _as_dict(value: Any) -> dict[str, Any]:
    """A dataclass for JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} is not written")


def write_whole(path: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """Writes a file whole or not at all: what was measured before is not lost to a full disk.

    Args:
        path: Of the file; folders are made.
        write: Writes to the name that it is given.

    Raises:
        OptionError: If it cannot be written.
    """
    try:
        with written_whole(path) as partial:
            write(partial)
    except OSError as error:
        raise OptionError(
            f"{path}: cannot be written ({error.strerror}); free space or name another place"
        ) from error


def write_page(path: pathlib.Path, text: str, content: Mapping[str, Any]) -> None:
    """Writes a page, and its figures as JSON beside it.

    Args:
        path: Of the page, from `page_path`; folders are made.
        text: The page in Markdown.
        content: The figures; may hold dataclasses.

    Raises:
        OptionError: If one of them cannot be written.
    """
    figures = json.dumps(content, indent=2, default=_as_dict) + "\n"
    write_whole(path, lambda name: name.write_text(text))
    write_whole(path.with_suffix(".json"), lambda name: name.write_text(figures))


def print_page(measure: Callable[[], str]) -> None:
    """Prints the page that `measure` gives; an error that the user can mend is one line."""
    try:
        print(measure(), end="")
    except SfeError as error:
        sys.exit(fail(str(error)))
