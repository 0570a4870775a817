"""Copies of a SQLite store: made while it is in use, looked over, and put in its place."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from entitlements_core.errors import Conflict, StoreError
from entitlements_core.store import sqlite
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.durable import make_durable, unwritten
from entitlements_core.store.failures import (
    DatabaseCorrupt,
    DatabaseReplaced,
    failure_of,
)
from entitlements_core.store.lock_file import LockFile
from entitlements_core.store.ownership import belong_together, give_to_owner
from entitlements_core.store.schema_revisions import KEY_QUESTION, REVISION_QUESTION
from entitlements_core.store.store_file import missing
from entitlements_core.store.timeouts import WORK

__all__ = ["Copy", "brought_up_to_date", "copied", "key_of", "publish", "put_in_place", "remove"]

BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file, by its name."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A complete and sound copy of a store, in one file.

    Attributes:
        path: of the file.
        size: in bytes.
        revision: of its schema; None when it has none.
        key_fingerprint: which key it was made with; None when it was never used.
    """

    path: Path
    size: int
    revision: str | None
    key_fingerprint: str | None


@contextmanager
def copied(source: Path, folder: Path, *, replaces: bool = False) -> Iterator[Copy]:
    """A copy of the store at `source` under a name of its own in `folder`, removed after the block.

    One moment of the store is copied, whoever writes to it meanwhile.

    Args:
        source: the store.
        folder: a directory. A copy that root makes belongs to its owner if that one may read the
            store as well.
        replaces: the copy is to take the place of the store in `folder`, whose owner uses it then.

    Raises:
        StoreError: when it is missing, damaged or no store, or the copy cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".copy-")
        try:
            if replaces or belong_together(source, folder):
                give_to_owner(descriptor, folder)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritten(folder, error) from None
    copy = Path(name)
    try:
        _fill(copy, source)
        yield _examined(copy, source)
    finally:
        for suffix in ("", *BESIDE, ".lock"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)


def publish(copy: Copy, target: Path) -> None:
    """Give a copy its name; a file that is there is left alone.

    Raises:
        Conflict: when there is one.
        StoreError: when it cannot be written.
    """
    try:
        os.link(copy.path, target)
        make_durable(target.parent)
    except FileExistsError:
        raise Conflict(f"{target} is there already.", "Choose another name.") from None
    except OSError as error:
        raise unwritten(target, error) from None


def remove(copy: Path) -> None:
    """Remove a copy that nobody has open.

    Raises:
        StoreError: when that cannot be.
    """
    try:
        copy.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{copy} cannot be removed: {error.strerror}.", "See to whom its directory belongs."
        ) from None


def put_in_place(copy: Copy, url: DatabaseURL, aside: Path) -> bool:
    """Let a copy take the place of the store at `url`; whether there was one before.

    The store that was there is kept as `aside`, with its log. Who is writing to it is waited for;
    who has it open notices when the path is looked at. Between the moves nothing is at the path, so
    that no file ever lies beside another one's log.

    Raises:
        Conflict: when something is at `aside`.
        StoreError: when the store stays locked, or a file cannot be moved.
    """
    if aside.exists():
        raise Conflict(f"{aside} is there already.", "Try again.")
    lock_file = LockFile(Path(f"{url.path}.lock"))
    try:
        with lock_file.held(), _writers_waiting(url):
            _work_off(url)
            there = url.path.exists()
            moves = [(f"{url.path}{end}", f"{aside}{end}") for end in ("", *BESIDE)]
            _move([*moves, (str(copy.path), str(url.path))])
            make_durable(url.path.parent)
    except OSError as error:
        raise unwritten(url.path, error) from None
    finally:
        lock_file.close()
    return there


def key_of(path: Path) -> str | None:
    """The fingerprint of the key that a copy was made with; None when it cannot be read."""
    try:
        with closing(_opened(path, mode="ro", immutable=True)) as connection:
            return _word(connection, KEY_QUESTION)
    except (sqlite3.Error, StoreError):
        return None


def _fill(copy: Path, source: Path) -> None:
    if not source.is_file():
        raise missing(str(source))
    # Without a log beside it, SQLite is told that nobody writes to the file: else it would make a
    # log, which not every medium lets it.
    alone = not any(Path(f"{source}{end}").exists() for end in BESIDE)
    try:
        with (
            closing(_opened(source, mode="ro", immutable=alone)) as origin,
            closing(_opened(copy)) as target,
        ):
            origin.backup(target)
            # In this mode, the copy needs no log beside it.
            target.execute("PRAGMA journal_mode = DELETE")
        with copy.open("rb+") as file:
            os.fsync(file.fileno())
    except sqlite3.Error as error:
        raise failure_of(error, str(source)) from None
    except OSError as error:
        raise unwritten(copy.parent, error) from None


def _opened(path: Path, *, mode: str = "rw", immutable: bool = False) -> sqlite3.Connection:
    return sqlite.connect(
        path, sqlite3.Connection, timeout=WORK.lock, mode=mode, immutable=immutable
    )


def _examined(copy: Path, source: Path) -> Copy:
    try:
        with closing(_opened(copy)) as connection:
            damage = [line for (line,) in connection.execute("PRAGMA integrity_check(3)")]
            strays = connection.execute("PRAGMA foreign_key_check").fetchall()
            if damage != ["ok"] or strays:
                found = damage[0] if damage != ["ok"] else f"{len(strays)} rows refer to nothing"
                raise DatabaseCorrupt(f"{source} is damaged: {found}.", "Take another copy.")
            revision = _word(connection, REVISION_QUESTION)
            fingerprint = _word(connection, KEY_QUESTION)
    except sqlite3.Error as error:
        raise failure_of(error, str(source)) from None
    return Copy(copy, copy.stat().st_size, revision, fingerprint)


def _word(connection: sqlite3.Connection, question: str) -> str | None:
    try:
        row = connection.execute(question).fetchone()
    except sqlite3.OperationalError:
        return None  # another kind of database has no such table
    return None if row is None else str(row[0])


@contextmanager
def brought_up_to_date(copy: Copy) -> Iterator[Database]:
    """A copy as a store of this version; whatever is written to it then is in its one file.

    Raises:
        StoreError: when its tables cannot be brought up to date.
    """
    with closing(Database(f"sqlite:///{quote(str(copy.path.absolute()))}")) as database:
        database.upgrade()
        yield database


@contextmanager
def _writers_waiting(url: DatabaseURL) -> Iterator[None]:
    """Hold the store's own lock, as far as what lies there is a store."""
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(closing(url.connect_sqlite()))
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            failure = failure_of(error, str(url))
            if not isinstance(failure, DatabaseCorrupt):
                raise failure from None
        except DatabaseReplaced:
            pass  # another file's log lies beside it, so nobody has it open as a store
        except StoreError:
            if url.path.exists():
                raise
        yield


def _work_off(url: DatabaseURL) -> None:
    """Bring what is in the log into the file, while nobody adds to it.

    If this process is ended between the moves, the file that is left lacks nothing.
    """
    with contextlib.suppress(sqlite3.Error, StoreError), closing(url.connect_sqlite()) as own:
        own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _move(moves: list[tuple[str, str]]) -> None:
    """Rename all files that are there, or none."""
    done: list[tuple[str, str]] = []
    try:
        for old, new in moves:
            with contextlib.suppress(FileNotFoundError):
                os.rename(old, new)  # noqa: PTH104 - SQLite names these by their text
                done.append((old, new))
    except OSError:
        for old, new in reversed(done):
            os.rename(new, old)  # noqa: PTH104 - see above
        raise
