"""Words that every refusal of a file shares."""

BROKEN = "the file is broken, download it again"


def quote(text: object) -> str:
    """Shows a text of a file inside a message: one line of ASCII, about 100 characters at most.

    Args:
        text: A string or bytes; of anything else only the type is shown, since hostile objects
            can take for ever to print.

    Returns:
        The text in quotation marks, or the name of a type.
    """
    if not isinstance(text, str | bytes):
        return type(text).__name__
    return ascii(text[:100]) + ("..." if len(text) > 100 else "")
