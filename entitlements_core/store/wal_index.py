"""The header of SQLite's shared WAL index: whether anything was committed, and how long the log is.

In WAL mode every commit rewrites the header of the ``-shm`` file beside the database: a change
counter, the number of the last frame and its checksum. SQLite's own readers compare it with the one
they saw last to learn whether their pages are out of date. So do we, in the same shared memory:
asking SQLite (``PRAGMA data_version``) gives the same answer for the price of a statement, which
makes a page of 55 us one of 79.

The format is that of https://sqlite.org/walformat.html, section 2.1.
"""

import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Final

__all__ = ["WalIndex"]

_HEADER: Final = 48
"""Bytes of one copy of the header; there are two, and a reader trusts them when they agree."""
_LENGTH: Final = 136
"""Bytes of both copies and of the checkpoint information behind them."""
_LAST_FRAME: Final = 16
_BACKFILLED: Final = 96
_VERSION: Final = struct.pack("=I", 3007000)


class _Mappings:
    """The shared memory of every store that this process ever opened, by device and inode.

    Each is mapped once and never let go: POSIX drops every lock that a process holds on a file,
    SQLite's among them, when it closes any descriptor of that file, and a mapping holds one.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], mmap.mmap] = {}
        self._mapping = threading.Lock()
        os.register_at_fork(after_in_child=self._renew_lock)

    def of(self, path: str) -> mmap.mmap | None:
        """The memory of the file at `path`; None where there is nothing to map."""
        # One at a time: a second mapping of the same file could not be taken back.
        with self._mapping:
            try:
                found = os.stat(path)  # noqa: PTH116 - a string, on the way to os.open
                key = (found.st_dev, found.st_ino)
                if key not in self._known and found.st_size >= _LENGTH:
                    self._known[key] = _map(path)
            except (OSError, ValueError):
                return None
            return self._known.get(key)

    def _renew_lock(self) -> None:
        """A thread of the parent may have held it."""
        self._mapping = threading.Lock()


def _map(path: str) -> mmap.mmap:
    # The descriptor stays open beside the mapping's own.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return mmap.mmap(descriptor, _LENGTH, access=mmap.ACCESS_READ)


_mappings: Final = _Mappings()


class WalIndex:
    """The WAL index of one database, read without SQLite.

    The caller keeps a connection open that has read from the database: while it is, no process
    takes the shared memory away.

    Args:
        database: path of the file.
    """

    def __init__(self, database: Path) -> None:
        self._memory = _mappings.of(f"{database}-shm")

    def header(self) -> bytes | None:
        """The header, which every commit of any process changes.

        None when there is none to rely on: no log yet, a commit that is just being noted, or a
        format of another SQLite. Then ask the database.
        """
        memory = self._memory
        if memory is None:
            return None
        first = memory[:_HEADER]
        if first != memory[_HEADER : 2 * _HEADER] or first[:4] != _VERSION:
            return None
        return first

    def frames(self) -> tuple[int, int]:
        """How many pages the log holds, and how many of them are not yet in the file."""
        memory = self._memory
        if memory is None:
            return 0, 0
        (last,) = struct.unpack_from("=I", memory, _LAST_FRAME)
        (backfilled,) = struct.unpack_from("=I", memory, _BACKFILLED)
        return last, max(last - backfilled, 0)
