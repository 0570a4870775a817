"""A file that downloads are written to before they are removed, in gzip's members.

Each member is on the disk before its downloads are removed, and its end is written down in the
transaction that removes them. So what lies behind that end is still in the store, whatever ended
us: it is cut off, and written again.
"""

import csv
import fcntl
import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entitlements_core.errors import Conflict, InvalidValue, NotFound
from entitlements_core.services.csv_cells import cell
from entitlements_core.store.durable import make_durable, unwritten
from entitlements_core.store.ownership import belong_together, give_to_owner
from entitlements_core.store.records import DownloadRecord

__all__ = ["COLUMNS", "Export", "absolute", "opened"]

COLUMNS: Final = (
    "id",
    "at",
    "token",
    "repository",
    "package",
    "version",
    "filename",
    "client",
    "user_agent",
    "requests",
    "bandwidth",
)


_MAGIC: Final = b"\x1f\x8b"
_START: Final = 4_096


@dataclass
class Export:
    """A file that is written to; see `opened`.

    Attributes:
        path: of the file, absolute.
        size: of what is in it and on the disk, in bytes.
    """

    path: Path
    size: int
    _descriptor: int

    def append(self, downloads: Iterable[DownloadRecord]) -> None:
        """Write them at the end; they are on the disk when this returns.

        Raises:
            StoreError: when they cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self.size == 0:
            writer.writerow(COLUMNS)
        writer.writerows(map(_row, downloads))
        member = gzip.compress(text.getvalue().encode("utf-8", "backslashreplace"), mtime=0)
        try:
            _write(self._descriptor, member, self.size)
            os.fsync(self._descriptor)
        except OSError as error:
            raise unwritten(self.path, error) from None
        self.size += len(member)


def absolute(path: Path) -> Path:
    """The absolute path by which the store knows an export.

    Raises:
        InvalidValue: when it is no file's, or the store could not write it down.
        NotFound: when its directory is not there.
    """
    if str(path) == "-":
        raise InvalidValue(
            "export", "What is removed cannot be written to a pipe.", "Name a file for it."
        )
    found = path.expanduser().absolute()
    try:
        str(found).encode()
    except UnicodeEncodeError:
        raise InvalidValue("export", f"{str(path)!r} is no text.", "Choose another name.") from None
    if not found.parent.is_dir():
        raise NotFound(f"There is no directory {found.parent}.", "Make it first.")
    return found


@contextmanager
def opened(
    path: Path,
    known: Callable[[], int | None],
    begin: Callable[[], None],
    *,
    store: Path | None = None,
) -> Iterator[Export]:
    """The file at an absolute `path`, for one process alone; new ones are their owner's alone.

    Args:
        path: of a file that is not there, or was written to before.
        known: tells how much of it holds what was removed, as the store says; None when the store
            knows nothing of it.
        begin: lets the store know of a file that is empty yet.
        store: the file of the store, if it has one. Root's export in a directory of the store's
            owner belongs to that one, who may go on with it; anybody else's stays with root.

    Raises:
        Conflict: when something else is there, or somebody else is writing to it.
        StoreError: when it cannot be written.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        is_new = not os.path.lexists(path)
        made = os.O_CREAT | os.O_EXCL if is_new else 0
        descriptor = os.open(path, flags | made, 0o600)
    except OSError as error:
        raise unwritten(path, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"Somebody else is writing to {path}.", "Wait for it.") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Conflict(f"{path} is no file.", "Choose another name.")
        if os.fstat(descriptor).st_size == 0:
            if is_new and store is not None and belong_together(store, path.parent):
                give_to_owner(descriptor, path.parent)
            begin()
            make_durable(path.parent)
        yield Export(path, _cut(descriptor, path, known()), descriptor)
    finally:
        os.close(descriptor)


def _cut(descriptor: int, path: Path, known: int | None) -> int:
    """Cut off what was not written down; gives the size."""
    size = os.fstat(descriptor).st_size
    if known is None or size < known or not _is_ours(os.pread(descriptor, _START, 0)):
        raise Conflict(
            f"{path} is there already, and is not what was exported before.",
            "Choose another name.",
        )
    os.ftruncate(descriptor, known)
    os.fsync(descriptor)
    return known


def _is_ours(start: bytes) -> bool:
    """Whether a file that begins so can have been begun here; the end may be missing."""
    if not start.startswith(_MAGIC):
        return _MAGIC.startswith(start)
    try:
        text = zlib.decompressobj(wbits=31).decompress(start)
    except zlib.error:
        return False
    header = f"{','.join(COLUMNS)}\n".encode()
    return text.startswith(header) or header.startswith(text)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _row(one: DownloadRecord) -> list[str]:
    values = {name: getattr(one, name) for name in COLUMNS}
    values["at"] = one.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return [cell(value) for value in values.values()]
