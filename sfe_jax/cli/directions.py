"""`sfe directions`: which edits there are."""

from sfe_jax.cli.options import Domain


def directions(domain: Domain = "faces") -> None:
    """Lists the edits with their safe ranges and what a positive strength does.

    Example: sfe directions --domain cars

    Args:
        domain: Whose edits to list.
    """
    from rich.console import Console
    from rich.table import Table

    from sfe_jax.edits.catalogue import CARS, FACES, HEADER, table

    listing = Table(*(head.capitalize() for head in HEADER), title=f"Edits of {domain}")
    for row in table(FACES if domain == "faces" else CARS):
        listing.add_row(*row)
    Console().print(listing, markup=False)
