"""Which file a SQLite store's path names, and whose log lies beside it.

An open connection goes on with the file that it opened, also when the path names another one by
now, or none. So the path is looked at again and again: by `stat`, since closing a descriptor of a
database, its log or its shared memory drops every lock that this process holds on it (POSIX).

SQLite finds a log by its name alone. One that a replaced file left behind would be read, and
written, into the file that took its place. Therefore a note beside the store says which file the
log belongs to, and a store with another one's log is not opened.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from entitlements_core.errors import StoreError
from entitlements_core.store.failures import DatabaseMissing, DatabaseReplaced, failure_of

__all__ = ["Identity", "StoreConnection", "StoreFile", "missing"]

Identity = tuple[int, int]
"""Device and inode."""

_NOTE_BYTES: Final = 128


class StoreConnection(sqlite3.Connection):
    """A connection that remembers which file it opened."""

    identity: Identity = (0, 0)


class StoreFile:
    """The place of a SQLite store.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Text, since every request asks.
        self._text = str(path.absolute())

    def identity(self) -> Identity:
        """The file that the path names now.

        Raises:
            DatabaseMissing: when it names none.
        """
        try:
            found = os.stat(self._text)  # noqa: PTH116 - twice as fast as Path.stat
        except OSError:
            raise missing(self._text) from None
        return found.st_dev, found.st_ino

    def refuse_loss(self) -> None:
        """Return unless a store was in use here and is gone, so that no new one takes its place.

        Raises:
            DatabaseMissing: when it is gone.
        """
        if self._noted() and not self.path.exists():
            raise DatabaseMissing(
                f"The database {self.path} is gone, though it was in use.",
                "Bring it back with `entitlements restore`,"
                " or make a new one with `entitlements init`.",
            )

    def require(self, identity: Identity) -> None:
        """Return when the path still names this file.

        Raises:
            DatabaseReplaced, DatabaseMissing: when it does not.
        """
        if self.identity() != identity:
            raise DatabaseReplaced(
                f"The database {self.path} was replaced by another file in the meantime.",
                "Try again.",
            )

    def open(self, connect: Callable[[], StoreConnection]) -> StoreConnection:
        """A connection to the file that the path names, its log being opened as well.

        Args:
            connect: opens it by the path, and never makes it.

        Raises:
            DatabaseReplaced: when the log beside it is that of another file.
            DatabaseMissing: when there is no file.
            sqlite3.Error: when it cannot be opened.
        """
        identity = self.identity()
        self._refuse_other_log(identity)
        connection = connect()
        try:
            connection.identity = identity
            # The file is open, and is this one, before the first read opens the log by its name:
            # the shared memory of a former file would be emptied under those who use it.
            self.require(identity)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
            log = _inode(f"{self._text}-wal")
            self.require(identity)
        except BaseException:
            connection.close()
            raise
        if log is not None:
            self._note(f"{identity[0]}:{identity[1]} {log}\n")
        return connection

    def _refuse_other_log(self, identity: Identity) -> None:
        words = self._noted().partition("\n")[0].split()
        if len(words) != 2 or words[0] == f"{identity[0]}:{identity[1]}":  # noqa: PLR2004 - as noted
            return
        if words[1] == str(_inode(f"{self._text}-wal")):
            raise DatabaseReplaced(
                f"The database {self.path} was replaced while it was in use:"
                f" {self.path}-wal is the log of the former file.",
                f"Move {self.path} to another name, and run `entitlements restore` with that name.",
            )

    @property
    def _note_path(self) -> str:
        return f"{self._text}.lock"

    def _noted(self) -> str:
        try:
            with open(self._note_path, encoding="ascii", errors="replace") as note:  # noqa: PTH123 - see __init__
                return note.read(_NOTE_BYTES)
        except OSError:
            return ""

    def _note(self, text: str) -> None:
        if self._noted().startswith(text):
            return
        try:
            descriptor = os.open(self._note_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return  # who may not write here may still read the store
        try:
            os.pwrite(descriptor, text.encode(), 0)
        except OSError:
            pass
        finally:
            os.close(descriptor)


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - see StoreFile
    except OSError:
        return None


def missing(path: str) -> StoreError:
    """The error for a path that names no file."""
    absent = sqlite3.OperationalError()
    absent.sqlite_errorname = "SQLITE_CANTOPEN"
    return failure_of(absent, path)
