"""Zip archives read in place: members stored uncompressed are views of the file's bytes.

The directory is parsed here rather than by `zipfile`, so that its size is bounded before anything
is built, every member is known to lie where only it lies, and nothing is copied.

Source: PKWARE APPNOTE 6.3, sections 4.3 (records) and 4.5.3 (zip64).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sfe_jax.core.errors import FileFormatError
from sfe_jax.readers.limits import Budget
from sfe_jax.readers.messages import BROKEN, quote

_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF8 = 1 << 0, 1 << 11  # Bits of the flags.
_SYMLINK = 0o120000  # Kind of file in the upper half of the attributes, as Unix writes it.

_END = struct.Struct("<4sHHHHIIH")
_END64_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")


@dataclass(frozen=True)
class Member:
    """One file inside an archive.

    Attributes:
        name: Its path.
        compressed: Whether it is deflated; stored as it is otherwise.
        checksum: CRC-32 of its content.
        packed_bytes: What it takes in the archive.
        size: Bytes of its content.
        header: Where its local header starts.
        start: Where its packed bytes start.
    """

    name: str
    compressed: bool
    checksum: int
    packed_bytes: int
    size: int
    header: int
    start: int


def _unpack(form: struct.Struct, data: memoryview, at: int, signature: bytes) -> tuple:
    if at < 0 or at + form.size > len(data) or bytes(data[at : at + 4]) != signature:
        raise FileFormatError(f"the zip has no {signature!r} record at byte {at}; {BROKEN}")
    return form.unpack_from(data, at)


def _directory(data: memoryview) -> tuple[int, int, int]:
    """Returns the number of entries, the size and the place of the central directory."""
    tail = max(0, len(data) - _END.size - 0xFFFF)  # A comment may follow.
    end = tail + bytes(data[tail:]).rfind(b"PK\5\6")
    _, _, _, _, count, size, place, _ = _unpack(_END, data, end, b"PK\5\6")
    locator = end - _END64_LOCATOR.size
    if locator >= 0 and bytes(data[locator : locator + 4]) == b"PK\6\7":
        _, _, end64, _ = _unpack(_END64_LOCATOR, data, locator, b"PK\6\7")
        *_, count, size, place = _unpack(_END64, data, end64, b"PK\6\6")
    if place + size > end:
        raise FileFormatError(f"the zip directory leaves the file; {BROKEN}")
    return count, size, place


def _wide_fields(extra: memoryview, fields: list[int]) -> list[int]:
    """Replaces fields of 0xFFFFFFFF by the 64-bit values of the zip64 extra field."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == 1:
            whole = extra[4 : 4 + size]
            wide = iter(struct.unpack(f"<{len(whole) // 8}Q", whole[: len(whole) // 8 * 8]))
            return [next(wide, field) if field == 0xFFFFFFFF else field for field in fields]
        extra = extra[4 + size :]
    return fields


def _check_kind(name: str, *, flags: int, method: int, attributes: int) -> None:
    """Refuses what no checkpoint has; paths, though nothing is ever written to disk."""
    odd_path = "\\" in name or "\0" in name or name[1:2] == ":"
    if odd_path or not {"", ".", ".."}.isdisjoint(name.removesuffix("/").split("/")):
        raise FileFormatError(f"the zip member {quote(name)} has an unsafe path; refuse such files")
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
        raise FileFormatError(
            f"the zip member {quote(name)} is encrypted or packed by method {method}; "
            "pack it again with deflate or without compression"
        )
    if attributes >> 16 & 0o170000 == _SYMLINK:
        raise FileFormatError(
            f"the zip member {quote(name)} is a symbolic link; pack the file that it names"
        )


def _entries(data: memoryview, budget: Budget) -> Iterator[Member]:
    """Yields the members of the central directory, each compared with its local header."""
    count, size, at = _directory(data)
    if count > budget.limits.members:
        raise FileFormatError(
            f"the zip has {count} members; at most {budget.limits.members} may be"
        )
    directory = data[: at + size]
    for _ in range(count):
        fields = _unpack(_ENTRY, directory, at, b"PK\1\2")
        _, _, _, flags, method, _, _, checksum, packed, full, name_size, extra_size = fields[:12]
        comment_size, _, _, attributes, header = fields[12:]
        name_end = at + _ENTRY.size + name_size
        raw = bytes(directory[at + _ENTRY.size : name_end])
        name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        _check_kind(name, flags=flags, method=method, attributes=attributes)
        extra = directory[name_end : name_end + extra_size]
        full, packed, header = _wide_fields(extra, [full, packed, header])
        at = name_end + extra_size + comment_size
        local = _unpack(_LOCAL, data, header, b"PK\3\4")
        if bytes(data[header + _LOCAL.size :][: local[9]]) != raw:
            raise FileFormatError(f"the zip member {quote(name)} has two names; {BROKEN}")
        start = header + _LOCAL.size + local[9] + local[10]
        yield Member(name, method == _DEFLATED, checksum, packed, full, header, start)


class Archive:
    """The members of one zip archive, checked as a whole before the first is read.

    Attributes:
        members: By name, in the order of the directory.
    """

    def __init__(self, data: memoryview, *, budget: Budget):
        """Parses the directory.

        Args:
            data: The whole file.
            budget: Whose limits apply.

        Raises:
            FileFormatError: If it is broken or unsafe, or promises too much.
        """
        self._data = data
        self.members: dict[str, Member] = {}
        for member in _entries(data, budget):
            if member.name in self.members:
                raise FileFormatError(f"the zip member {quote(member.name)} occurs twice")
            if not member.name.endswith("/"):
                self.members[member.name] = member
        self._check_places(end=_directory(data)[2])
        promised = sum(member.size for member in self.members.values())
        allowed = budget.limits.expanded_bytes(len(data))
        if promised > allowed:
            raise FileFormatError(
                f"the zip of {len(data)} bytes promises {promised}, more than {allowed}; it is a "
                "zip bomb, or has to be packed again without compression"
            )

    def _check_places(self, *, end: int) -> None:
        free = 0
        for member in sorted(self.members.values(), key=lambda member: member.header):
            stop = member.start + member.packed_bytes
            if member.header < free or stop > end:
                raise FileFormatError(
                    f"the zip member {quote(member.name)} overlaps another; {BROKEN}"
                )
            if not member.compressed and member.size != member.packed_bytes:
                raise FileFormatError(
                    f"the zip member {quote(member.name)} has two sizes; {BROKEN}"
                )
            free = stop

    def read(self, name: str) -> memoryview:
        """Returns the content of a member: a view if it is stored, unpacked otherwise.

        Raises:
            FileFormatError: If there is none of that name, or its content is not as promised.
        """
        if name not in self.members:
            raise FileFormatError(f"the zip has no member {quote(name)}; {BROKEN}")
        member = self.members[name]
        content = self._data[member.start : member.start + member.packed_bytes]
        if member.compressed:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                content = memoryview(inflate.decompress(content, member.size + 1))
            except zlib.error as error:
                raise FileFormatError(f"the zip member {quote(name)}: {error}; {BROKEN}") from error
        if len(content) != member.size or zlib.crc32(content) != member.checksum:
            raise FileFormatError(f"the zip member {quote(name)} fails its checksum; {BROKEN}")
        return content
