"""Writing files whole or not at all."""

import contextlib
import pathlib
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def written_whole(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a hidden name beside `path` to write to, which takes its place at the end.

    Whatever goes wrong inside, `path` is as it was before and nothing else is left. Parent folders
    are made.

    Args:
        path: The file that is to appear, or to be replaced.

    Yields:
        The temporary name, with the suffix of `path`.

    Raises:
        OSError: If the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
