"""A view of bytes as the stream that `pickletools` reads, which never allocates what is not there.

A file object would first make room for as many bytes as a hostile length promises.
"""

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.messages import BROKEN, quote

_MAX_LINE = 2_000  # The longest line is the module name of a global.


class ByteStream:
    """Bytes with a reading position.

    Attributes:
        data: All bytes.
        position: Where the next ones start.
    """

    def __init__(self, data: memoryview):
        self.data = data
        self.position = 0

    def tell(self) -> int:
        """Returns the position."""
        return self.position

    def view(self, count: int) -> memoryview:
        """Takes `count` bytes, or those that are left, without copying them."""
        taken = self.data[self.position : self.position + count]
        self.position += len(taken)
        return taken

    def read(self, count: int) -> bytes:
        """Takes a copy of `count` bytes, or of those that are left."""
        return bytes(self.view(count))

    def readline(self) -> bytes:
        """Takes a line with its end, or the start of one that is too long to be valid.

        Raises:
            FileFormatError: If it holds a backslash: no name or number does, and `pickletools`
                would take it for an escape, with a warning.
        """
        ahead = bytes(self.data[self.position : self.position + _MAX_LINE])
        line = self.read(ahead.find(b"\n") + 1 or len(ahead))
        if b"\\" in line:
            raise FileFormatError(f"the line {quote(line)} holds a backslash; {BROKEN}")
        return line
