"""`sfe directions`: which edits there are."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfe_jax.cli.options import Domain, OptionalWeights
from sfe_jax.core.errors import OptionError

if TYPE_CHECKING:
    from sfe_jax.edits.direction import Direction

PIPED_WIDTH = 240
"""Characters of a line in a pipe or file, where each edit gets one."""


def _read_fitted(weights: pathlib.Path) -> "tuple[Direction, ...]":
    """The fitted directions of a bundle.

    Raises:
        FileFormatError: If the file is missing or no bundle.
        OptionError: If it has none.
    """
    from sfe_jax.edits.records import recorded_directions
    from sfe_jax.pipelines.bundle import read_metadata

    found = recorded_directions(read_metadata(weights), str(weights))
    if not found:
        raise OptionError(
            f"--weights {weights} is a bundle without fitted directions; fit some with "
            "`sfe fit-directions`, or list the published ones with `sfe directions`"
        )
    return found


def _print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints one line per edit."""
    import sys

    from rich.console import Console
    from rich.table import Table

    listing = Table(title=title)
    for head in header:  # A name is never cut: it has to be typed.
        listing.add_column(head.capitalize(), overflow="fold", no_wrap=head == "name")
    for row in rows:
        listing.add_row(*row)
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(width=width).print(listing, markup=False)


def directions(domain: Domain = "faces", weights: OptionalWeights = None) -> None:
    """Lists the edits with their safe ranges and what a positive strength does.

    Example: sfe directions --domain cars

    Args:
        domain: Whose published edits to list.
        weights: Bundle whose fitted edits to list instead, with what they were fitted on.
    """
    from sfe_jax.edits.catalogue import CARS, FACES, FITTED_HEADER, HEADER, fitted_table, table

    if weights is not None:
        rows = fitted_table(_read_fitted(weights))
        _print_table(f"Edits fitted in {weights.name}", FITTED_HEADER, rows)
    else:
        _print_table(f"Edits of {domain}", HEADER, table(FACES if domain == "faces" else CARS))
