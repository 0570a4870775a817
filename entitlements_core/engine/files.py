"""Distribution files on the disk, opened only if they still are what the index says of them."""

import hashlib
import os
from dataclasses import dataclass
from typing import Final, Protocol

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.content_cache import ContentCache
from entitlements_core.engine.file_reader import open_file
from entitlements_core.engine.scan import FileStat
from entitlements_core.engine.snapshot import CatalogFile

__all__ = ["CHUNK", "OpenFile", "StoredFile", "is_nameable", "open_current"]

CHUNK: Final = 256 * 1024
"""Bytes read at a time; a file up to this size is sent in one piece."""

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
        catalog.recheck(file.path)
        return None
    if not catalog.verify(file, os.fstat(descriptor)):
        catalog.recheck(file.path)
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
