"""What the pages of measurements share: where figures come from, and how a program ends."""

import pathlib
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

import jax

from sfe_jax.cli.console import fail
from sfe_jax.core.errors import SfeError
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


def print_page(measure: Callable[[], str]) -> None:
    """Prints the page that `measure` gives; an error that the user can mend is one line."""
    try:
        print(measure(), end="")
    except SfeError as error:
        sys.exit(fail(str(error)))
