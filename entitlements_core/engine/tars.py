"""Finds one file of a ``.tar.gz``, with bounds that nothing in the archive can move.

`tarfile` keeps every member that it passes, reads extended headers of any length into memory, and
calls itself for each header that follows another. `gzip` joins as many streams as there are. So
both are read here, forward only: a header is looked at and forgotten, and everything is counted.
"""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final

__all__ = ["Damaged", "Excessive", "TooLong", "Unpacked", "find_file"]

HEADERS: Final = 100_000
"""Headers that are looked at before the wanted file, inclusive."""

EXTENSION_LIMIT: Final = 1024 * 1024
"""Bytes of one extended header (a long name, a PAX record), inclusive."""

EXTENSIONS_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of all of them before the wanted file, inclusive."""

STREAMS: Final = 64
"""Streams of gzip in one file, inclusive; who packs an sdist makes one."""

_CHUNK: Final = 1 << 16
_BLOCK: Final = tarfile.BLOCKSIZE
_EXTENDED_AT: Final = 482
"""Where the header of a sparse file says whether blocks of its map follow,"""

_MORE_AT: Final = 504
"""and where such a block does."""

_FILES: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_EMPTY: Final = frozenset(tarfile.SUPPORTED_TYPES) - frozenset(tarfile.REGULAR_TYPES)
"""No contents follow the header, whatever size it states."""

_DIGITS: Final = 20


class Damaged(Exception):
    """What is wrong with an archive, in a few words."""


class Excessive(Exception):
    """Which bound it passes, in a sentence."""


class TooLong(Exception):
    """The file that is looked for is larger than may be.

    Attributes:
        name: of the file, printable.
        size: that its header states.
    """

    def __init__(self, name: str, size: int) -> None:
        super().__init__(name, size)
        self.name = name
        self.size = size


class Unpacked:
    """What a gzip file unpacks to, read forward.

    Args:
        archive: from where it stands.
        limit: bytes that it may unpack to, inclusive.
    """

    def __init__(self, archive: IO[bytes], limit: int) -> None:
        self._chunks = _inflated(archive, limit)
        self._chunk = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """As many bytes, fewer only at the end of everything."""
        parts = list(self._parts(size))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over bytes.

        Raises:
            Damaged: there are fewer.
        """
        if sum(map(len, self._parts(size))) < size:
            raise Damaged("a file in it ends early")

    def drain(self) -> None:
        """Read to the end: the checksum comes last."""
        for _ in self._chunks:
            pass

    def _parts(self, size: int) -> Iterator[bytes]:
        while size:
            if self._at == len(self._chunk):
                self._chunk, self._at = next(self._chunks, b""), 0
                if not self._chunk:
                    return
            part = self._chunk[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            yield part


def find_file(unpacked: Unpacked, wanted: Callable[[str], object], limit: int) -> bytes | None:
    """The contents of the first regular file of a wanted name, None where there is none.

    Args:
        unpacked: a tar archive from its start.
        wanted: whether a name is looked for.
        limit: bytes of the file, inclusive.

    Raises:
        Damaged: the archive ends early or is none.
        TooLong: the file has more.
        Excessive: what comes before it is too large.
    """
    name, size, left = None, None, EXTENSIONS_LIMIT
    for number in range(HEADERS):
        header = _header(unpacked, first=number == 0)
        if header is None:
            return None
        if header.type in {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME}:
            left -= header.size
            if header.size > EXTENSION_LIMIT or left < 0:
                raise Excessive("A header in the sdist is larger than any that is needed.")
            said = _contents(unpacked, header.size)
            if header.type == tarfile.GNUTYPE_LONGNAME:
                name = _text(said.partition(b"\0")[0])
            else:
                name, size = _records(said, name, size)
        elif header.type in {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK}:
            _skip_contents(unpacked, header.size)
        else:
            path = header.name if name is None else name
            length = header.size if size is None else size
            name = size = None
            if header.type in _FILES and wanted(path):
                if length > limit:
                    raise TooLong(_printable(path), length)
                return _contents(unpacked, length)
            if header.type not in _EMPTY:
                _skip_contents(unpacked, length)
    raise Excessive(f"The sdist has more than {HEADERS} files.")


def _header(unpacked: Unpacked, *, first: bool) -> tarfile.TarInfo | None:
    """The next header, None at the end of the archive."""
    block = unpacked.read(_BLOCK)
    if not first and (not block or not block.strip(b"\0")):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise Damaged(str(error)) from error
    if header.size < 0:
        raise Damaged("a file in it has a negative size")
    if header.type == tarfile.GNUTYPE_SPARSE:
        more = block[_EXTENDED_AT]
        while more:
            block = unpacked.read(_BLOCK)
            if len(block) < _BLOCK:
                raise Damaged("the map of a file in it ends early")
            more = block[_MORE_AT]
    return header


def _contents(unpacked: Unpacked, size: int) -> bytes:
    data = unpacked.read(size)
    if len(data) < size:
        raise Damaged("a file in it ends early")
    unpacked.skip(-size % _BLOCK)
    return data


def _skip_contents(unpacked: Unpacked, size: int) -> None:
    unpacked.skip(size + -size % _BLOCK)


def _records(data: bytes, name: str | None, size: int | None) -> tuple[str | None, int | None]:
    """The name and the size that PAX records state, else those that are given."""
    at = 0
    while at < len(data) and data[at]:
        digits = data[at : at + _DIGITS].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        start = at + len(digits) + 1
        at += length
        if start >= at or at > len(data):
            raise Damaged("a PAX record in it is damaged")
        key, _, value = data[start : at - 1].partition(b"=")
        if key == b"path":
            name = _text(value).rstrip("/")
        elif key == b"size":
            if not value.isdigit() or len(value) > _DIGITS:
                raise Damaged("a PAX record in it is damaged")
            size = int(value)
    return name, size


def _printable(path: str) -> str:
    return path[:200].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _inflated(archive: IO[bytes], limit: int) -> Iterator[bytes]:
    """The contents in pieces of at most 64 KiB, none of them empty."""
    packed = archive.read(_CHUNK)
    if not packed:
        raise Damaged("it is empty")
    for _ in range(STREAMS):
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while not inflate.eof:
            data = inflate.decompress(packed, _CHUNK)
            limit -= len(data)
            if limit < 0:
                raise Excessive("The sdist unpacks to more than an index should hold.")
            if data:
                yield data
            packed = inflate.unconsumed_tail
            if not packed and not inflate.eof:
                packed = archive.read(_CHUNK)
                if not packed and not data:
                    raise Damaged("it ends early")
        packed = inflate.unused_data.lstrip(b"\0")
        while not packed:  # blocks of a tape may be filled up with zeros
            more = archive.read(_CHUNK)
            if not more:
                return
            packed = more.lstrip(b"\0")
    raise Excessive(f"The sdist consists of more than {STREAMS} streams of gzip.")
