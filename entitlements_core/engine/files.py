"""Distribution files on the wire: conditions, ranges, and the ways a body is sent."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.file_reader import open_file
from entitlements_core.engine.scan import FileStat
from entitlements_core.engine.snapshot import CatalogFile
from entitlements_core.http import FILE_HEADERS, ByteRange, Headers

__all__ = [
    "CHUNK",
    "Body",
    "DirectSender",
    "Offload",
    "OpenFile",
    "Sender",
    "StoredFile",
    "is_nameable",
    "open_current",
    "plan",
]

CHUNK: Final = 256 * 1024
"""Bytes read at a time; a file up to this size is sent in one piece."""

CONTENT_TYPE: Final = "application/octet-stream"


REHASHED: Final = 64 * 1024 * 1024
"""Bytes up to which a file is hashed anew for a request, where only that can tell what it is: a
tenth of a second."""


class StoredFile(Protocol):
    """Where a distribution file lies."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    @property
    def path(self) -> str:
        """Absolute."""
        ...

    @property
    def relative(self) -> str:
        """The path below its root."""
        ...

    @property
    def root_index(self) -> int:
        """Which root, counted from 0."""
        ...


@dataclass(slots=True)
class OpenFile:
    """A distribution file that is what its index says it is.

    Attributes:
        file: what the index knows of it.
        descriptor: open for reading; closed by whoever sends it. -1 where `data` is there instead.
        etag: strong and quoted, of the contents.
        data: the contents, where they are in memory.
        bodies: where to keep contents that are read whole; None keeps none.
        sha256: of the contents, hexadecimal, where `bodies` is given.
    """

    file: StoredFile
    descriptor: int
    etag: str
    data: bytes | None = None
    bodies: ContentCache | None = None
    sha256: str = ""

    def close(self) -> None:
        """Close the descriptor, once."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass(frozen=True, slots=True)
class Body:
    """How much of a file an answer carries.

    Attributes:
        status: 200 or 206.
        start: the first byte, inclusive.
        length: bytes.
        headers: all of them.
    """

    status: int
    start: int
    length: int
    headers: Headers


class Sender(Protocol):
    """A way of sending a planned body.

    Attributes:
        elsewhere: another server sends the bytes, and reads the conditions of a range by itself.
    """

    elsewhere: bool

    def send(
        self, opened: OpenFile, body: Body, environ: dict[str, Any]
    ) -> tuple[Headers, Iterable[bytes]]:
        """The headers to send instead of the body's, and the chunks. Takes `opened` over."""
        ...


class DirectSender:
    """Reads the file itself, or lets the server do it where it offers to (PEP 3333)."""

    elsewhere = False

    def send(
        self, opened: OpenFile, body: Body, environ: dict[str, Any]
    ) -> tuple[Headers, Iterable[bytes]]:
        """See `Sender.send`."""
        if opened.data is not None:
            whole = body.length == len(opened.data)
            stop = body.start + body.length
            return body.headers, [opened.data if whole else opened.data[body.start : stop]]
        if body.length <= CHUNK:
            try:
                data = os.pread(opened.descriptor, body.length, body.start)
            finally:
                opened.close()
            if opened.bodies is not None and body.length == opened.file.size:
                opened.bodies.keep(opened.sha256, data)
            return body.headers, [data]
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is not None and body.length == opened.file.size:
            stream = os.fdopen(opened.descriptor, "rb", buffering=0)
            opened.descriptor = -1
            return body.headers, wrapper(stream, CHUNK)
        return body.headers, _Chunks(opened, body.start, body.length)


class Offload:
    """Leaves the sending to the server in front: ``X-Accel-Redirect`` or ``X-Sendfile``.

    Args:
        header: the name of the header.
        locations: what stands for each root in the header, in the catalog's order: an internal
            location of nginx, or the root's path for X-Sendfile.
    """

    elsewhere = True

    def __init__(self, header: str, locations: tuple[str, ...]) -> None:
        self._header = header
        self._locations = locations

    def send(
        self,
        opened: OpenFile,
        body: Body,
        environ: dict[str, Any],  # noqa: ARG002 - the protocol
    ) -> tuple[Headers, Iterable[bytes]]:
        """See `Sender.send`; the front server applies the range by itself."""
        opened.close()
        file = opened.file
        location = f"{self._locations[file.root_index].rstrip('/')}/{quote(file.relative)}"
        kept = tuple(
            (name, value)
            for name, value in body.headers
            if name not in {"Content-Length", "Content-Range"}
        )
        return (*kept, ("Content-Length", "0"), (self._header, location)), []


class _Chunks:
    """A stretch of a file; closes the file when the server is done, however far it got."""

    def __init__(self, opened: OpenFile, start: int, length: int) -> None:
        self._opened = opened
        self._position = start
        self._stop = start + length

    def __iter__(self) -> Iterator[bytes]:
        try:
            while self._position < self._stop:
                wanted = min(CHUNK, self._stop - self._position)
                data = os.pread(self._opened.descriptor, wanted, self._position)
                if not data:
                    return
                self._position += len(data)
                yield data
        finally:
            self._opened.close()

    def close(self) -> None:
        """Called by the server at the end (PEP 3333)."""
        self._opened.close()


def is_nameable(file: StoredFile) -> bool:
    """Whether its path can stand in a header as it is: servers take no others than these."""
    return file.relative.isascii() and file.relative.isprintable()


def open_current(
    catalog: Catalog, file: CatalogFile, bodies: ContentCache | None = None
) -> OpenFile | None:
    """Open a file, if what is on the disk still is what the catalog knows; None if not.

    A file that was changed in place is looked at again, and what is answered until then is that it
    is not there: a hash that does not fit would look like an attack to the client. Where size and
    modification time still fit, it mostly is the same file with another mode, owner or hard link,
    or brought back from a backup; so one that is not large is hashed at once.

    Args:
        catalog: knows what the file was like.
        file: one of its files.
        bodies: contents in memory; a file whose contents are there is looked at, but not opened.
    """
    etag, sha256 = f'"{file.facts.sha256}"', file.facts.sha256
    data = None if bodies is None or file.size > CHUNK else bodies.get(sha256)
    if data is not None and _is_current(catalog, file):
        return OpenFile(file, -1, etag, data)
    try:
        descriptor = open_file(file.path)
    except OSError:
        catalog.touch(file.path)
        return None
    if not catalog.verify(file, os.fstat(descriptor)):
        catalog.touch(file.path)
        if not _has_same_contents(file, descriptor):
            os.close(descriptor)
            return None
    return OpenFile(file, descriptor, etag, None, bodies, sha256)


def _has_same_contents(file: CatalogFile, descriptor: int) -> bool:
    look = FileStat.of(os.fstat(descriptor))
    if (look.size, look.mtime_ns) != (file.size, file.mtime_ns) or file.size > REHASHED:
        return False
    digest = hashlib.sha256()
    for position in range(0, file.size, CHUNK):
        try:
            digest.update(os.pread(descriptor, CHUNK, position))
        except OSError:
            return False
    return digest.hexdigest() == file.facts.sha256


def _is_current(catalog: Catalog, file: CatalogFile) -> bool:
    try:
        found = os.stat(file.path)  # noqa: PTH116 - for every download
    except OSError:
        return False
    return catalog.verify(file, found)


def plan(opened: OpenFile, wanted: ByteRange | None) -> Body:
    """The status, the headers and the extent of an answer that carries the file."""
    size = opened.file.size
    start, stop = (0, size) if wanted is None else (wanted.start, wanted.stop)
    headers: Headers = (
        ("Content-Type", CONTENT_TYPE),
        ("Content-Length", str(stop - start)),
        ("ETag", opened.etag),
        *FILE_HEADERS,
    )
    if wanted is None:
        return Body(200, 0, size, headers)
    content_range = ("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    return Body(206, start, stop - start, (*headers, content_range))
