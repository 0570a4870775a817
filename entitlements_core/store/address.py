"""Where the database is: an SQLAlchemy URL, read without SQLAlchemy."""

import contextlib
import os
import sqlite3
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from entitlements_core.errors import ConfigurationError
from entitlements_core.store.store_file import StoreConnection, StoreFile

__all__ = ["Address"]

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgresql+psycopg"
_SPELLINGS: Final = {
    "sqlite": SQLITE,
    "sqlite+pysqlite": SQLITE,
    "postgres": POSTGRES,
    "postgresql": POSTGRES,
    "postgresql+psycopg": POSTGRES,
}
LOCK_TIMEOUT_MS: Final = 5_000
"""How long a connection waits for another one's lock."""


@dataclass(frozen=True, slots=True)
class Address:
    """The place of a database. Its text never shows a password.

    Attributes:
        scheme: ``sqlite`` or ``postgresql+psycopg``.
        rest: the URL after the scheme.
        lock_timeout_ms: how long to wait for a lock, in milliseconds.
    """

    scheme: str
    rest: str
    lock_timeout_ms: int = LOCK_TIMEOUT_MS

    @classmethod
    def parse(cls, url: str, *, lock_timeout_ms: int = LOCK_TIMEOUT_MS) -> "Address":
        """Read ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://…``.

        Raises:
            ConfigurationError: when it is neither; a database in memory is shared with nobody. Also
                when the driver is not installed.
        """
        scheme, separator, rest = url.partition("://")
        known = _SPELLINGS.get(scheme)
        if not separator or known is None or (known == SQLITE and rest in {"", "/", "/:memory:"}):
            raise ConfigurationError(
                "The database address is neither a SQLite file nor a PostgreSQL database.",
                "Write sqlite:////path/to/entitlements.db or postgresql://user@host/database.",
            )
        if known != SQLITE and find_spec("psycopg") is None:
            raise ConfigurationError(
                "The store is on PostgreSQL, and its driver psycopg is not installed.",
                "Run: pip install 'index-entitlements[postgres]'",
            )
        return cls(known, rest, lock_timeout_ms)

    def __str__(self) -> str:
        if self.is_sqlite:
            return str(self.path)
        parts = urlsplit(f"//{self.rest}")
        login, separator, host = parts.netloc.rpartition("@")
        return f"postgresql://{login.partition(':')[0]}{separator}{host}{parts.path}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    @property
    def is_sqlite(self) -> bool:
        """A file; else a PostgreSQL server."""
        return self.scheme == SQLITE

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return Path(unquote(self.rest.removeprefix("/").partition("?")[0]))

    @property
    def file(self) -> StoreFile:
        """The same, as something that may be replaced."""
        return StoreFile(self.path)

    @property
    def url(self) -> str:
        """What SQLAlchemy takes."""
        return f"{self.scheme}://{self.rest}"

    @property
    def conninfo(self) -> str:
        """What libpq takes."""
        return f"postgresql://{self.rest}"

    def connect_sqlite(self, *, writable: bool = True) -> StoreConnection:
        """A connection in autocommit mode; never makes the file.

        Raises:
            DatabaseMissing, DatabaseReplaced: as `StoreFile.open` does.
            sqlite3.Error: when it cannot be opened.
        """
        connection = self.file.open(lambda: self._connect("rw" if writable else "ro"))
        # NORMAL loses no committed change when a process dies, only when the machine does.
        connection.create_function("unicode_lower", 1, _lower, deterministic=True)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def make_sqlite(self) -> None:
        """Make an empty file that only its owner may read, unless there is one.

        Raises:
            OSError: when that is impossible.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Under another name first: a descriptor of a database that may be open in this process is
        # never closed, see `store_file`.
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".new-")
        os.close(descriptor)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(name, self.path)
        finally:
            Path(name).unlink()

    def _connect(self, mode: str) -> StoreConnection:
        return sqlite3.connect(
            f"file:{quote(str(self.path.absolute()))}?mode={mode}",
            uri=True,
            timeout=self.lock_timeout_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
            factory=StoreConnection,
        )

    @property
    def postgres_options(self) -> dict[str, str]:
        """Query parameters of a PostgreSQL address, with the lock timeout among its options."""
        given = dict(parse_qsl(urlsplit(f"//{self.rest}").query))
        lock = f"-c lock_timeout={self.lock_timeout_ms}"
        return {"options": f"{given.get('options', '')} {lock}".strip()}


def _lower(text: str | None) -> str | None:
    """SQLite's own `lower` knows only ASCII."""
    return None if text is None else text.lower()
