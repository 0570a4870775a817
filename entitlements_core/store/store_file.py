"""Which files a SQLite store's path names: the store, its log and the index of the log.

An open connection goes on with the file that it opened, also when the path names another one by
now, or none. So the path is looked at again and again: by `stat`, since closing a descriptor of a
database, its log or its shared memory drops every lock that this process holds on it (POSIX).

SQLite finds a log by its name alone. One that a replaced file left behind would be read, and
written, into the file that took its place. Therefore a note beside the store says which file the
log belongs to, and a store with another one's log is not opened. Nor is one whose log or index was
removed under somebody who goes on with it: what one of them commits the other does not see, and
the last to close would undo it.
"""

import contextlib
import ctypes
import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from entitlements_core.errors import StoreError
from entitlements_core.store import sqlite
from entitlements_core.store.failures import DatabaseMissing, DatabaseReplaced, failure_of
from entitlements_core.store.ownership import open_or_make

__all__ = ["ABSENT", "FileIdentity", "StoreConnection", "StoreFile", "missing"]

FileIdentity = tuple[int, int, int, int]
"""Device and inode of the file, and the inodes of its log and of the log's index, 0 for none."""

ABSENT: Final = 0
"""In place of an inode: there is no such file."""
STARTING: Final = 0.5
"""Seconds after which a process that opens the store has surely made the log, and noted it."""
TRUSTED: Final = 1.0
"""Seconds for which the directory's change time alone is believed."""
YOUNG: Final = 50_000_000
"""Nanoseconds in which a directory can change twice and keep its time: a few ticks of the clock,
which are of ten million at most."""
_PAUSE: Final = 0.005
_NOTE_BYTES: Final = 128


class StoreConnection(sqlite3.Connection):
    """A connection that remembers which files it opened."""

    file: "StoreFile | None" = None
    identity: FileIdentity = (0, 0, ABSENT, ABSENT)
    process: int = 0
    is_patient: bool = True
    """Statements wait for locks in SQLite, not in Python."""
    is_kept: bool = False
    """Another log is in use by now, so that this one must never be merged."""

    def close(self) -> None:
        """Let go of the files; the log is only merged while no other one took its place."""
        file = self.file
        if file is None or self.process != os.getpid():
            super().close()
            return
        if self._keeps(file):
            return
        present = file.log()
        if present[0] == ABSENT and file.is_at(self.identity):
            # The log was removed, so nobody else can find it: its pages go into the file now.
            with contextlib.suppress(sqlite3.Error):
                self.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        # Before the close, since the last one takes the log away: see `_refuse_lost_log`.
        _open.pop(id(self), None)
        super().close()
        self.file = None
        if present == self.identity[2:] and file.log()[0] == ABSENT:
            file.forget(self.identity)

    def __del__(self) -> None:
        """As `close`, for what nobody closed, such as at the end of the interpreter."""
        if self.file is not None and self.process == os.getpid():
            with contextlib.suppress(sqlite3.Error):
                self.close()

    def _keeps(self, file: "StoreFile") -> bool:
        """Whether another log is in use by now; then this connection stays open to the end.

        The last connection to be closed would write its own log into the file, and delete the other
        one by its name. Before Python 3.12 no option of SQLite's prevents that.
        """
        if not self.is_kept and file.is_at(self.identity):
            self.is_kept = file.has_other_log(self.identity)
            if self.is_kept:
                # Never finalized, not even by the interpreter's end.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        return self.is_kept


_open: Final[weakref.WeakValueDictionary[int, StoreConnection]] = weakref.WeakValueDictionary()
"""Connections of this process, which share one index for each file, whatever lies at its name."""


class StoreFile:
    """The place of a SQLite store.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Text, since every request asks.
        self._text = str(path.absolute())
        self._log = f"{self._text}-wal"
        self._index = f"{self._text}-shm"
        self._folder = os.path.dirname(self._text)  # noqa: PTH120 - as text
        self._settled: tuple[FileIdentity | None, tuple[int, int, int], float] = (
            None,
            (0, 0, 0),
            0.0,
        )

    def identity(self) -> FileIdentity:
        """The files that the path names now.

        Raises:
            DatabaseMissing: when it names none.
        """
        try:
            found = os.stat(self._text)  # noqa: PTH116 - twice as fast as Path.stat
        except OSError:
            raise missing(self._text) from None
        return found.st_dev, found.st_ino, *self.log()

    def log(self) -> tuple[int, int]:
        """The inodes of the log and of its index."""
        return _inode(self._log), _inode(self._index)

    def has_other_log(self, identity: FileIdentity) -> bool:
        """Whether somebody may have committed to this file what its former log does not hold."""
        log, index = self.log()
        if log == identity[2]:
            return index not in {ABSENT, identity[3]}
        try:
            return os.stat(self._log).st_size > 0  # noqa: PTH116 - see __init__
        except OSError:
            return False

    def has(self, identity: FileIdentity) -> bool:
        """Whether the path names these very files; cheap enough for every count that is made.

        No file comes, goes or changes its name without a change of its directory, which has a time.
        Where that stays as it was when the files were looked at, they are not looked at again: each
        look lets other threads go first. A time that is still young says nothing, since it is as
        coarse as the system's clock tick.
        """
        try:
            found = os.stat(self._folder)  # noqa: PTH116 - see __init__
        except OSError:
            return False
        folder = (found.st_dev, found.st_ino, found.st_ctime_ns)  # which nobody can set
        now = time.monotonic()
        known, seen, looked = self._settled
        if known == identity and seen == folder and now - looked < TRUSTED:
            return True
        try:
            present = self.identity()
        except StoreError:
            return False
        if present != identity:
            return False
        if time.time_ns() - found.st_ctime_ns > YOUNG:  # noqa: TID251 - compared with a file's
            self._settled = (identity, folder, now)
        return True

    def is_at(self, identity: FileIdentity) -> bool:
        """Whether the path names this file now, whatever its log is."""
        try:
            return self.identity()[:2] == identity[:2]
        except StoreError:
            return False

    def refuse_loss(self) -> None:
        """Return unless a store was in use here and is gone, so that no new one takes its place.

        Raises:
            DatabaseMissing: when it is gone.
        """
        if self._noted() and not self.path.exists():
            raise DatabaseMissing(
                f"The database {self.path} is gone, though it was in use.",
                "Bring it back with `entitlements restore FILE`;"
                " `entitlements init` makes a new, empty one.",
            )

    def require(self, identity: FileIdentity) -> None:
        """Return when the path still names this file, with this log.

        Raises:
            DatabaseReplaced, DatabaseMissing: when it does not.
        """
        if self.has(identity):
            return
        if self._require_file(identity) != identity:
            raise self._log_lost()

    def open(self, connect: Callable[[], StoreConnection]) -> StoreConnection:
        """A connection to the file that the path names, its log being opened as well.

        Args:
            connect: opens it by the path, and never makes it.

        Raises:
            DatabaseReplaced: when the log beside it is that of another file, or is not the one
                that somebody has in use.
            StoreError: when the path is a symbolic link.
            DatabaseMissing: when there is no file.
            sqlite3.Error: when it cannot be opened.
        """
        identity = self.identity()
        self._refuse_link()
        self._refuse_other_log(identity)
        self._refuse_lost_log(identity)
        connection = connect()
        try:
            # The file is open, and is this one, before the first read opens the log by its name:
            # the shared memory of a former file would be emptied under those who use it.
            self._require_file(identity)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
            found = self._require_file(identity)
        except BaseException:
            connection.close()
            raise
        connection.identity, connection.process, connection.file = found, os.getpid(), self
        _open[id(connection)] = connection
        if found[2] != ABSENT:
            self._note(f"{found[0]}:{found[1]} {found[2]} {found[3]}\n")
        return connection

    def forget(self, identity: FileIdentity) -> None:
        """Take back the note of a log that is gone since nobody uses it."""
        if self._noted_log(identity) == identity[2:]:
            self._note(f"{identity[0]}:{identity[1]} {ABSENT} {ABSENT}\n")

    def _require_file(self, identity: FileIdentity) -> FileIdentity:
        """The files that the path names now, the store being this one.

        Its log is not compared: before the first read it comes and goes as others open and close.
        """
        found = self.identity()
        if found[:2] != identity[:2]:
            raise self._replaced()
        return found

    def _refuse_link(self) -> None:
        """Return unless the path is a link: SQLite keeps the log beside what it leads to."""
        if self.path.is_symlink():
            raise StoreError(
                f"The database {self.path} is a symbolic link; its log lies beside"
                f" {self.path.resolve()}.",
                "Name that path in ENTITLEMENTS_DATABASE_URL, or link the whole directory.",
            )

    def _refuse_other_log(self, identity: FileIdentity) -> None:
        words = self._noted().partition("\n")[0].split()
        if len(words) < 2 or words[0] == f"{identity[0]}:{identity[1]}":  # noqa: PLR2004 - as noted
            return
        log = _inode(self._log)
        if log != ABSENT and words[1] == str(log):
            raise DatabaseReplaced(
                f"The database {self.path} was replaced while it was in use:"
                f" {self.path}-wal is the log of the former file.",
                f"Move {self.path} to another name, and run `entitlements restore` with that name.",
            )

    def _refuse_lost_log(self, identity: FileIdentity) -> None:
        """Return unless somebody has the file open, but not with the log that lies beside it."""
        for reference in _open.valuerefs():
            one = reference()
            if (
                one is not None
                and one.process == os.getpid()
                and one.identity[:2] == identity[:2]
                and one.identity[2] != ABSENT  # or it was opened before there was one
                and one.identity[2:] != self.log()
                and id(one) in _open  # still, so that it was not its own close
            ):
                raise self._log_lost()
        deadline = time.monotonic() + STARTING
        while self._noted_log(identity) not in {None, (ABSENT, ABSENT), self.log()}:
            if not self._is_in_use():
                return
            if time.monotonic() > deadline:
                raise self._log_lost()
            time.sleep(_PAUSE)

    def _is_in_use(self) -> bool:
        """Whether anybody, in this process or another, has the file open."""
        try:
            with contextlib.closing(
                sqlite.connect(self._text, sqlite3.Connection, timeout=0)
            ) as connection:
                # The lock comes before the log is looked for.
                connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
                connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
        return False

    def _replaced(self) -> DatabaseReplaced:
        return DatabaseReplaced(
            f"The database {self.path} was replaced by another file in the meantime.",
            "Try again.",
        )

    def _log_lost(self) -> DatabaseReplaced:
        return DatabaseReplaced(
            f"The log of the database {self.path} was removed or replaced while it was in use"
            f" ({self.path}-wal, {self.path}-shm).",
            "Stop all servers, which write what they still have of it into the database,"
            " and start them again; then look through `entitlements audit`.",
        )

    def _noted_log(self, identity: FileIdentity) -> tuple[int, ...] | None:
        """The log and index that were in use last with this file; None when that is unknown."""
        words = self._noted().partition("\n")[0].split()
        if len(words) != 3 or words[0] != f"{identity[0]}:{identity[1]}":  # noqa: PLR2004 - as noted
            return None
        return tuple(int(word) if word.isdecimal() else ABSENT for word in words[1:])

    @property
    def _note_path(self) -> str:
        return f"{self._text}.lock"

    def _noted(self) -> str:
        try:
            descriptor = os.open(self._note_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return ""
        try:
            # No file object, which imports, and the interpreter may be at its end.
            return os.read(descriptor, _NOTE_BYTES).decode("ascii", "replace")
        except OSError:  # a pipe in its place is not waited for
            return ""
        finally:
            os.close(descriptor)

    def _note(self, text: str) -> None:
        if self._noted().startswith(text):
            return
        try:
            descriptor = open_or_make(Path(self._note_path))
        except OSError:
            return  # who may not write here may still read the store
        try:
            os.pwrite(descriptor, text.encode(), 0)
        except OSError:
            pass
        finally:
            os.close(descriptor)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - see StoreFile
    except OSError:
        return ABSENT


def missing(path: str) -> StoreError:
    """The error for a path that names no file."""
    absent = sqlite3.OperationalError()
    absent.sqlite_errorname = "SQLITE_CANTOPEN"
    return failure_of(absent, path)
