"""`sfe directions`: which edits there are."""

from sfe_jax.cli.options import Domain

PIPED_WIDTH = 240
"""Characters of a line in a pipe or file, where each edit gets one."""


def directions(domain: Domain = "faces") -> None:
    """Lists the edits with their safe ranges and what a positive strength does.

    Example: sfe directions --domain cars

    Args:
        domain: Whose edits to list.
    """
    import sys

    from rich.console import Console
    from rich.table import Table

    from sfe_jax.edits.catalogue import CARS, FACES, HEADER, table

    listing = Table(title=f"Edits of {domain}")
    for head in HEADER:  # A name is never cut: it has to be typed.
        listing.add_column(head.capitalize(), overflow="fold", no_wrap=head == "name")
    for row in table(FACES if domain == "faces" else CARS):
        listing.add_row(*row)
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(width=width).print(listing, markup=False)
