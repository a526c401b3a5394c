"""What errors of the library say to those who type commands."""

from sfe_jax.core.errors import SfeError

OPTIONS = {
    "class_index": "--class",
    "crop": "--crop",
    "direction_arrays": "--directions FOLDER",
    "points": "--points",
}
"""Arguments of the library, and the options that commands pass as them."""


def in_options(error: SfeError) -> str:
    """What an error says, with options in place of the library's arguments."""
    message = str(error)
    for argument, option in OPTIONS.items():
        message = message.replace(f"`{argument}`", option)
    return message
