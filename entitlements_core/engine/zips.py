"""Reads one member of a zip archive, with bounds that nothing in the archive can move.

`zipfile` believes what an archive says of itself: it keeps the whole directory as objects, unpacks
bzip2 and lzma in one piece, and takes the last of several directories that an archive may hold. So
the directory is walked here: bounded, nothing kept of it but the one entry that is looked for, and
only where there is exactly one way to read it.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from entitlements_core.engine.distributions import TooLarge, Unservable

__all__ = ["Found", "find_member", "read_member"]

DIRECTORY_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of a central directory, inclusive: some 250,000 files."""

_STORED: Final = 0
_DEFLATED: Final = 8
_ENCRYPTED: Final = 1
_ELSEWHERE: Final = 0xFFFFFFFF
"""Stands in the place of a number that is in the ZIP64 extra field."""

_ZIP64_FIELD: Final = 1
_LONGEST_COMMENT: Final = 0xFFFF

_ENTRY: Final = struct.Struct("<4s4xHH4xLLLHHH8xL")
_LOCAL: Final = struct.Struct("<4s22xHH")
_END: Final = struct.Struct("<4s4xHHLLH")
_END64: Final = struct.Struct("<4s28xQQQ")
_LOCATOR64: Final = struct.Struct("<4s4xQ4x")
_FIELD: Final = struct.Struct("<HH")
_NUMBER: Final = struct.Struct("<Q")


class _Damaged(Exception):
    """What is wrong with an archive, in a few words."""


@dataclass(frozen=True, slots=True)
class Found:
    """The members that were looked for.

    Attributes:
        count: how many there are.
        name: of the first, as it is spelled; empty when there is none.
        entry: of the first, for `read_member`.
    """

    count: int
    name: bytes = b""
    entry: "_Entry | None" = None


class _Directory(NamedTuple):
    offset: int
    size: int
    members: int
    counted_modulo: int


class _Entry(NamedTuple):
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    offset: int

    @property
    def shown(self) -> str:
        """The name, for a message."""
        return self.name.decode("utf-8", "backslashreplace")[:200]


def find_member(archive: IO[bytes], wanted: Callable[[bytes], object]) -> Found:
    """Look through the names of a zip archive.

    Args:
        archive: seekable.
        wanted: whether a name, as it is spelled, is looked for.

    Raises:
        Unservable: the archive is damaged, or can be read in more than one way.
    """
    try:
        count, first = 0, None
        for entry in _entries(archive, _directory(archive)):
            if wanted(entry.name):
                count += 1
                first = first or entry
    except (_Damaged, struct.error, OSError) as error:
        raise _incomplete(error) from error
    return Found(count, first.name, first) if first else Found(0)


def read_member(archive: IO[bytes], found: Found, limit: int) -> bytes:
    """Unpack the first member that was found.

    Args:
        archive: in which it was found.
        found: by `find_member`.
        limit: bytes that it may have, inclusive.

    Raises:
        TooLarge: it has more.
        Unservable: it is damaged, or packed as installers do not write it.
        ValueError: none was found.
    """
    entry = found.entry
    if entry is None:
        raise ValueError("No member was found.")
    try:
        return _unpacked(entry, _packed(archive, entry, limit), limit)
    except (_Damaged, struct.error, OSError, zlib.error) as error:
        raise _incomplete(error) from error


def _directory(archive: IO[bytes]) -> _Directory:
    """Where the directory is: exactly before the one end that reaches to the end of the file."""
    size = archive.seek(0, io.SEEK_END)
    start = archive.seek(max(0, size - _END.size - _LONGEST_COMMENT))
    tail = archive.read()
    ends = [at for at in _occurrences(tail, b"PK\x05\x06") if _reaches_the_end(tail, at)]
    if len(ends) != 1:
        raise _Damaged("it has no end" if not ends else "it has several ends")
    _, here, members, length, offset, _ = _END.unpack_from(tail, ends[0])
    end = start + ends[0]
    directory = _Directory(offset, length, members, 1 << 16)
    if end >= _LOCATOR64.size:
        archive.seek(end - _LOCATOR64.size)
        signature, end64 = _LOCATOR64.unpack(archive.read(_LOCATOR64.size))
        if signature == b"PK\x06\x07":
            archive.seek(end64)
            signature, members, length, offset = _END64.unpack(archive.read(_END64.size))
            if signature != b"PK\x06\x06" or end64 + _END64.size + _LOCATOR64.size != end:
                raise _Damaged("its ZIP64 end is not where it should be")
            directory, here, end = _Directory(offset, length, members, 1 << 64), members, end64
    if here != members or directory.offset + directory.size != end:
        raise _Damaged("its directory is not where its end says")
    if directory.size > DIRECTORY_LIMIT:
        raise Unservable.misbuilt(f"Its directory has more than {DIRECTORY_LIMIT} bytes.")
    return directory


def _occurrences(data: bytes, what: bytes) -> Iterator[int]:
    at = data.find(what)
    while at >= 0:
        yield at
        at = data.find(what, at + 1)


def _reaches_the_end(tail: bytes, at: int) -> bool:
    if at + _END.size > len(tail):
        return False
    return at + _END.size + int(_END.unpack_from(tail, at)[-1]) == len(tail)


def _entries(archive: IO[bytes], directory: _Directory) -> Iterator[_Entry]:
    archive.seek(directory.offset)
    data = archive.read(directory.size)
    at, members = 0, 0
    while at < directory.size:
        (
            signature,
            flags,
            method,
            crc,
            packed,
            unpacked,
            name_length,
            extra_length,
            comment_length,
            offset,
        ) = _ENTRY.unpack_from(data, at)
        extra = at + _ENTRY.size + name_length
        name = data[at + _ENTRY.size : extra]
        at = extra + extra_length + comment_length
        # Some readers end a name at a NUL character, others do not.
        if signature != b"PK\x01\x02" or b"\0" in name or at > directory.size:
            raise _Damaged("its directory is not one")
        if _ELSEWHERE in (packed, unpacked, offset):
            numbers = _zip64(data[extra : extra + extra_length], unpacked, packed, offset)
            unpacked, packed, offset = numbers
        yield _Entry(name, flags, method, crc, packed, unpacked, offset)
        members += 1
    if members % directory.counted_modulo != directory.members:
        raise _Damaged("its directory has another number of files than its end says")


def _zip64(extra: bytes, *numbers: int) -> list[int]:
    """The numbers of an entry, those that do not fit into 32 bits from its extra field."""
    at = 0
    while at + _FIELD.size <= len(extra):
        kind, length = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        if kind == _ZIP64_FIELD:
            field = io.BytesIO(extra[at : at + length])
            return [
                _NUMBER.unpack(field.read(_NUMBER.size))[0] if number == _ELSEWHERE else number
                for number in numbers
            ]
        at += length
    return list(numbers)


def _packed(archive: IO[bytes], entry: _Entry, limit: int) -> bytes:
    shown = entry.shown
    if entry.unpacked > limit:
        raise TooLarge(shown, limit, entry.unpacked)
    if entry.packed > limit + limit // 1000 + 1024:  # deflate adds 5 bytes to a block
        raise TooLarge(shown, limit)
    if entry.method not in {_STORED, _DEFLATED}:
        raise Unservable.misbuilt(
            f"{shown} is packed by the method {entry.method}, not stored or deflated."
        )
    if entry.flags & _ENCRYPTED:
        raise _Damaged("it is encrypted")
    archive.seek(entry.offset)
    signature, name_length, extra_length = _LOCAL.unpack(archive.read(_LOCAL.size))
    if signature != b"PK\x03\x04" or archive.read(name_length) != entry.name:
        raise _Damaged("its directory and its files differ")
    archive.seek(entry.offset + _LOCAL.size + name_length + extra_length)
    return archive.read(entry.packed)


def _unpacked(entry: _Entry, packed: bytes, limit: int) -> bytes:
    if entry.method == _DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        data = inflate.decompress(packed, limit + 1)
        if len(data) > limit:
            raise TooLarge(entry.shown, limit)
        whole = inflate.eof
    else:
        data, whole = packed, True
    if not whole or len(data) != entry.unpacked or zlib.crc32(data) != entry.crc:
        raise _Damaged("a file in it is damaged")
    return data


def _incomplete(error: Exception) -> Unservable:
    return Unservable.incomplete(f"It is not a complete zip archive: {error}.")
