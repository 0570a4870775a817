"""What reading the archives found, kept in one SQLite file so that nothing is read twice.

The file is a cache and nothing else: one that is damaged or of another version is made anew.
Several processes may use it at once.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any, Final, NamedTuple, TypeVar

from entitlements_core.engine.scan import FileStat, shown
from entitlements_core.errors import StoreError
from entitlements_core.services.home import make_private
from entitlements_core.services.home_access import closed_file

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "CatalogCache", "CatalogRow"]

_log = logging.getLogger("entitlements.engine")
_T = TypeVar("_T")

SCHEMA_VERSION: Final = 5
"""Raise it with any change of the tables, of what is read from an archive, or of the fragments."""

_BUSY_SECONDS: Final = 15.0

_inherited: list[sqlite3.Connection] = []
"""Connections of the parent process: SQLite forbids to use or even close them after a fork."""


class CatalogRow(NamedTuple):
    """One file as it was read. A file that cannot be served has a problem and perhaps a name.

    Attributes:
        path: relative to its root.
        size, mtime_ns, inode, ctime_ns: of the file that was read, see `scan.FileStat`; the row
            holds for exactly these.
        problem, remedy: why it is not served.
        bound: where that is the size of its core metadata, how many bytes were read at most: with
            another bound it may be another matter.
        name: normalised. Of a file with a problem the one that its core metadata state, or empty.
        python_tags, platform_tags: separated by blanks, None for an sdist.
        sha256, metadata_sha256: lower-case hexadecimal; the latter None without core metadata.
        remark: what is wrong with a file that is served all the same.
        requires_dist: see `distributions.Description`.
        yanked, provenance: see `scan.Notes`.
        html, json: the file on a project page, see `simple.fragments`; without its upload time,
            which is another one in each repository.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int = 0
    ctime_ns: int = 0
    problem: str | None = None
    remedy: str = ""
    bound: int | None = None
    name: str = ""
    version: str = ""
    python_tags: str | None = None
    platform_tags: str | None = None
    requires_python: str | None = None
    license: str = ""
    summary: str = ""
    requires_dist: str = ""
    sha256: str = ""
    metadata_sha256: str | None = None
    remark: str | None = None
    yanked: str | None = None
    provenance: str | None = None
    html: bytes = b""
    json: bytes = b""

    def is_of(self, look: FileStat) -> bool:
        """Whether it is what was read of this very file."""
        return self[1:5] == look


_COLUMNS: Final = ", ".join(CatalogRow._fields)
_SHARED: Final = slice(CatalogRow._fields.index("name"), CatalogRow._fields.index("sha256"))
"""The columns in which the files of a project are mostly alike."""

APPLICATION_ID: Final = 0x656E7463
"""Tells a cache from databases of other programs (`PRAGMA application_id`)."""

_MARKS: Final = ", ".join("?" for _ in CatalogRow._fields)
_TABLES: Final = f"""
    CREATE TABLE IF NOT EXISTS file (root BLOB NOT NULL, {_COLUMNS}, PRIMARY KEY (root, path));
    CREATE TABLE IF NOT EXISTS metadata (sha256 TEXT PRIMARY KEY, body BLOB NOT NULL);
    PRAGMA user_version = {SCHEMA_VERSION};
    PRAGMA application_id = {APPLICATION_ID};
"""
_ALWAYS: Final = {"root", "path", "size", "mtime_ns", "problem", "remedy"}
"""Columns that each version has had, also before there was the mark."""


class CatalogCache:
    """Rows by root and path, and core metadata by their hash. Safe to use from several threads.

    Nothing but the opening raises: a cache that fails later is logged, and then answers as if it
    knew nothing. A row that SQLite cannot hold is left out, and no other with it.

    Args:
        path: of the SQLite file; its directory must exist and be writable.

    Raises:
        StoreError: the file cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._open()

    def load(self, root: str) -> dict[str, CatalogRow]:
        """All rows of a root, by path."""
        query = f"SELECT {_COLUMNS} FROM file WHERE root = ?"  # noqa: S608 - constants only

        def work(link: sqlite3.Connection) -> dict[str, CatalogRow]:
            share: dict[str | None, str | None] = {}
            rows = link.execute(query, (os.fsencode(root),))
            found = (_shared(values, share) for values in rows)
            return {row.path: row for row in found}

        return self._attempt(work, {})

    def get(self, root: str, path: str) -> CatalogRow | None:
        """One row, None when there is none."""
        query = f"SELECT {_COLUMNS} FROM file WHERE root = ? AND path = ?"  # noqa: S608 - constants

        def work(link: sqlite3.Connection) -> CatalogRow | None:
            found = link.execute(query, (os.fsencode(root), path)).fetchone()
            return None if found is None else CatalogRow._make(found)

        return self._attempt(work, None)

    def store(self, root: str, rows: Iterable[CatalogRow], metadata: Mapping[str, bytes]) -> None:
        """Add or replace rows, and add core metadata by their SHA-256, all or nothing."""
        insert = f"INSERT OR REPLACE INTO file (root, {_COLUMNS}) VALUES (?, {_MARKS})"  # noqa: S608 - constants

        def work(link: sqlite3.Connection) -> None:
            with _transaction(link):
                link.executemany("INSERT OR IGNORE INTO metadata VALUES (?, ?)", metadata.items())
                storable = (row for row in rows if _is_storable(row))
                link.executemany(insert, ((os.fsencode(root), *row) for row in storable))

        self._attempt(work, None)

    def forget(self, root: str, paths: Iterable[str]) -> None:
        """Drop the rows of files that are gone, and core metadata that nobody refers to."""

        def work(link: sqlite3.Connection) -> None:
            with _transaction(link):
                gone = ((os.fsencode(root), path) for path in paths)
                link.executemany("DELETE FROM file WHERE root = ? AND path = ?", gone)
                link.execute(
                    "DELETE FROM metadata WHERE sha256 NOT IN "
                    "(SELECT metadata_sha256 FROM file WHERE metadata_sha256 IS NOT NULL)"
                )

        self._attempt(work, None)

    def metadata(self, sha256: str) -> bytes | None:
        """Core metadata by their SHA-256, None when they are not here."""

        def work(link: sqlite3.Connection) -> bytes | None:
            query = "SELECT body FROM metadata WHERE sha256 = ?"
            found = link.execute(query, (sha256,)).fetchone()
            return None if found is None else found[0]

        return self._attempt(work, None, reading=True)

    def close(self) -> None:
        """Close the file; the cache is of no use afterwards."""
        if self._pid == os.getpid():
            for _, link in self._links:
                link.close()

    def _open(self, *, suspect: bool = False) -> None:
        try:
            with _alone(self._path):
                writer = _made(self._path, suspect=suspect)
                reader = _connected(self._path)
        except (sqlite3.Error, OSError) as error:
            raise _unopened(self._path, error) from error
        self._pid = os.getpid()
        # A writer at work must not hold up who only asks for core metadata.
        self._links = (threading.Lock(), writer), (threading.Lock(), reader)

    def _attempt(
        self, work: Callable[[sqlite3.Connection], _T], otherwise: _T, *, reading: bool = False
    ) -> _T:
        if self._pid != os.getpid():
            _inherited.extend(link for _, link in self._links)
            self._open()
        lock, link = self._links[reading]
        try:
            with lock:
                return work(link)
        except sqlite3.Error as error:
            _log.warning("The catalog cache %s failed: %s", shown(self._path), error)
            if _is_damage(error):
                self.close()
                self._open(suspect=True)
            return otherwise
        except (ValueError, TypeError, OverflowError) as error:  # asked for what it cannot hold
            _log.warning("The catalog cache %s failed: %s", shown(self._path), error)
            return otherwise


def _unopened(path: str, error: Exception) -> StoreError:
    """The error for a cache that cannot be opened, with the file that is in the way."""
    asked = f"The catalog cache {shown(path)} cannot be opened: {error}"
    if not Path(path).parent.is_dir():
        return StoreError(f"{asked}.", "Give a path in a directory that is there.")
    files = [Path(path + suffix) for suffix in ("", ".lock", "-wal", "-shm")]
    there = [one for one in (*files, Path(path).parent) if one.exists()]
    closed = next((one for one in there if not os.access(one, os.R_OK | os.W_OK)), None)
    if closed is None:
        named = " ".join(quote(str(one)) for one in files if os.path.lexists(one))
        return StoreError(f"{asked}.", f"Where it is not there, it is made anew. Move away {named}")
    found, remedy = closed_file(closed)
    return StoreError(f"{asked}; {found}.", remedy)


def _is_storable(row: CatalogRow) -> bool:
    """Whether SQLite holds all of it: texts as UTF-8, whole numbers in 64 bits."""
    try:
        for value in row:
            if isinstance(value, str):
                value.encode()
            elif isinstance(value, int):
                value.to_bytes(8, signed=True)
    except (UnicodeEncodeError, OverflowError) as error:
        _log.warning("What was read of %s is not kept: %s", shown(row.path), error)
        return False
    return True


def _shared(values: tuple[Any, ...], share: dict[str | None, str | None]) -> CatalogRow:
    """A row whose texts are one object where they are equal: a third of the memory less."""
    alike = values[_SHARED]
    shared = map(share.setdefault, alike, alike)
    return CatalogRow(*values[: _SHARED.start], *shared, *values[_SHARED.stop :])


def _connected(path: str) -> sqlite3.Connection:
    link = sqlite3.connect(
        os.fsencode(path), timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    link.execute("PRAGMA synchronous = NORMAL")
    return link


def _made(path: str, *, suspect: bool) -> sqlite3.Connection:
    """A connection to a sound cache of this version; the caller is `_alone`."""
    for suffix in ("", "-wal", "-shm"):  # SQLite gives the others the mode of the first
        if not suffix or os.path.lexists(path + suffix):
            make_private(Path(path + suffix))
    try:
        return _sound(path, suspect=suspect)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        _log.warning("The catalog cache %s is damaged (%s) and is made anew", shown(path), error)
        _set_aside(path)
        make_private(Path(path))
        return _sound(path, suspect=False)


def _sound(path: str, *, suspect: bool) -> sqlite3.Connection:
    link = _connected(path)
    try:
        _require_ours(link)
        link.execute("PRAGMA journal_mode = WAL")
        (version,) = link.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            link.executescript(
                "BEGIN IMMEDIATE; DROP TABLE IF EXISTS file; DROP TABLE IF EXISTS metadata;"
                f"{_TABLES} COMMIT;"
            )
        link.execute(f"SELECT {_COLUMNS} FROM file LIMIT 1").fetchone()  # noqa: S608 - constants
        if suspect:  # reads every page, so only where one was found damaged
            (verdict,) = link.execute("PRAGMA quick_check(1)").fetchone()
            _require(verdict == "ok", verdict)
    except sqlite3.Error:
        link.close()
        raise
    return link


def _require_ours(link: sqlite3.Connection) -> None:
    """Raise unless the database is empty, or a cache: another program's is not made anew."""
    (mark,) = link.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in link.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    columns = {column[1] for column in link.execute("PRAGMA table_info(file)")}
    earlier = mark == 0 and tables == {"file", "metadata"} and columns >= _ALWAYS
    if tables and mark != APPLICATION_ID and not earlier:
        raise sqlite3.OperationalError("it is the database of another program")


def _require(sound: bool, verdict: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not sound:
        raise sqlite3.DatabaseError(verdict)


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, rather than a lock, a full disk, its mode or a closed link."""
    said = str(error)
    return type(error) is sqlite3.DatabaseError or "no such" in said or "Could not decode" in said


def _set_aside(path: str) -> None:
    """Keep the damaged file for whoever wants to know why; its journal must not meet the new."""
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)  # noqa: PTH108 - SQLite names these by their text
    os.replace(path, path + ".damaged")  # noqa: PTH105 - see above


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Let one process at a time open or replace the cache.

    The lock is an empty SQLite file, which works the same on every system.
    """
    make_private(Path(f"{path}.lock"))
    lock = os.fsencode(f"{path}.lock")
    with closing(sqlite3.connect(lock, timeout=60, isolation_level=None)) as mutex:
        mutex.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def _transaction(link: sqlite3.Connection) -> Iterator[None]:
    link.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        link.execute("ROLLBACK")
        raise
    link.execute("COMMIT")
