"""What one file may cost: the limits, and the budget that is spent while it is read."""

from dataclasses import dataclass

from sfe_jax.core.errors import FileFormatError


@dataclass(frozen=True)
class Limits:
    """Bounds on a file from outside. Published checkpoints stay far below each of them.

    Attributes:
        file_bytes: Size of the file; a checkpoint with optimizer state is about 6 GB.
        expansion: How many times the file's size its arrays or unpacked members may take.
        floor_bytes: What small files may expand to all the same.
        steps: Pickle opcodes plus container elements copied by them.
        depth: Containers inside containers; the deepest official pickle has about 25.
        text_bytes: One string; older pickles carry whole arrays as latin-1 text.
        integer_bits: One integer; a random generator's state has 128.
        members: Entries of a zip archive.
        header_bytes: Text header of a safetensors or npy file.
    """

    file_bytes: int = 32 << 30
    expansion: int = 32
    floor_bytes: int = 64 << 20
    steps: int = 2_000_000
    depth: int = 256
    text_bytes: int = 256 << 20
    integer_bits: int = 256
    members: int = 100_000
    header_bytes: int = 16 << 20

    def expanded_bytes(self, file_bytes: int) -> int:
        """Returns how many bytes the content of a file of `file_bytes` may take in memory."""
        return max(self.floor_bytes, self.expansion * file_bytes)


DEFAULT_LIMITS = Limits()


class Budget:
    """What is left to spend on one file: shared by everything nested in it.

    Attributes:
        limits: The bounds it was made from.
        file_bytes: Size of the file.
        bytes_left: Bytes that arrays may still take, views counted at their full size.
        steps_left: Steps that pickles may still take.
    """

    def __init__(self, limits: Limits, *, file_bytes: int):
        self.limits = limits
        self.file_bytes = file_bytes
        self.bytes_left = limits.expanded_bytes(file_bytes)
        self.steps_left = limits.steps

    def spend_bytes(self, count: int, *, what: str) -> None:
        """Takes `count` bytes for `what`.

        Raises:
            FileFormatError: If they are not left.
        """
        if count > self.bytes_left:
            allowed = self.limits.expanded_bytes(self.file_bytes)
            raise FileFormatError(
                f"{what} takes {count} bytes, {self.bytes_left} are left of the {allowed} that a "
                f"file of {self.file_bytes} bytes may expand to; save it without expanded views"
            )
        self.bytes_left -= count

    def spend_steps(self, count: int) -> None:
        """Takes `count` steps of a pickle.

        Raises:
            FileFormatError: If they are not left.
        """
        self.steps_left -= count
        if self.steps_left < 0:
            raise FileFormatError(
                f"the pickle takes more than {self.limits.steps} steps; save arrays as arrays, "
                "not as lists of numbers"
            )
