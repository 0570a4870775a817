"""Where the database is: an SQLAlchemy URL, read without SQLAlchemy."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from entitlements_core.errors import ConfigurationError
from entitlements_core.store import sqlite
from entitlements_core.store.ownership import give_to_owner, make_folders
from entitlements_core.store.postgres_url import PostgresURL
from entitlements_core.store.store_file import StoreConnection, StoreFile
from entitlements_core.store.timeouts import REQUESTS, Timeouts

__all__ = ["DatabaseURL"]

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgresql+psycopg"
_SPELLINGS: Final = {
    "sqlite": SQLITE,
    "sqlite+pysqlite": SQLITE,
    "postgres": POSTGRES,
    "postgresql": POSTGRES,
    "postgresql+psycopg": POSTGRES,
}


@dataclass(frozen=True, slots=True)
class DatabaseURL:
    """The place of a database. Its text never shows a password.

    Attributes:
        scheme: ``sqlite`` or ``postgresql+psycopg``.
        rest: the URL after the scheme.
        timeouts: how long the database is waited for.
    """

    scheme: str
    rest: str
    timeouts: Timeouts = REQUESTS

    @classmethod
    def of(cls, place: "str | DatabaseURL") -> "DatabaseURL":
        """`place` itself, or `parse` of its text with the timeouts of requests."""
        return place if isinstance(place, DatabaseURL) else cls.parse(place)

    @classmethod
    def parse(cls, url: str, *, timeouts: Timeouts = REQUESTS) -> "DatabaseURL":
        """Read ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://…``.

        Args:
            url: of the database.
            timeouts: how long it is waited for.

        Raises:
            ConfigurationError: when it is neither, or a host or port of it cannot be read; a
                database in memory is shared with nobody. Also when the driver is not installed.
        """
        scheme, separator, rest = url.partition("://")
        known = _SPELLINGS.get(scheme)
        if not separator or known is None or (known == SQLITE and rest in {"", "/", "/:memory:"}):
            raise ConfigurationError(
                "The database address is neither a SQLite file nor a PostgreSQL database.",
                "Write sqlite:////path/to/entitlements.db or postgresql://user@host/database.",
            )
        if known != SQLITE:
            _require_driver()
            _require_text(url)
            PostgresURL.parse(rest)
        return cls(known, rest, timeouts)

    def __str__(self) -> str:
        return str(self.path if self.is_sqlite else self.postgres)

    def __repr__(self) -> str:
        return f"DatabaseURL({str(self)!r})"

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
    def postgres(self) -> PostgresURL:
        """The servers of a PostgreSQL database."""
        return PostgresURL.parse(self.rest)

    @property
    def spelled_out(self) -> str:
        """All but passwords: what another program needs to find it."""
        return str(self) if self.is_sqlite else self.postgres.spelled_out

    @property
    def secrets(self) -> frozenset[str]:
        """What of it must not be repeated: the password, and values that may be one."""
        return self.postgres.secrets

    def connect_sqlite(self) -> StoreConnection:
        """A connection in autocommit mode; never makes the file.

        Raises:
            DatabaseMissing, DatabaseReplaced: as `StoreFile.open` does.
            sqlite3.Error: when it cannot be opened.
        """
        connection = self.file.open(
            lambda: sqlite.connect(self.path, StoreConnection, timeout=self.timeouts.lock)
        )
        connection.create_function("unicode_lower", 1, _lower, deterministic=True)
        connection.execute("PRAGMA foreign_keys = ON")
        # NORMAL loses no committed change when a process dies, only when the machine does.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def make_sqlite(self) -> None:
        """Make an empty file that only its owner may read, unless there is one.

        Raises:
            OSError: when that is impossible.
        """
        make_folders(self.path.parent, mode=0o700)
        # Under another name first: a descriptor of a database that may be open in this process is
        # never closed, see `store_file`.
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".new-")
        os.fchmod(descriptor, 0o600)  # even where a umask takes more
        give_to_owner(descriptor, self.path.parent)
        os.close(descriptor)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(name, self.path)
        finally:
            Path(name).unlink()


def _lower(text: str | None) -> str | None:
    """SQLite's own `lower` knows only ASCII."""
    return None if text is None else text.lower()


def _require_driver() -> None:
    found = "is not installed"
    if find_spec("psycopg") is not None:
        try:
            import_module("psycopg")
        except ImportError as error:  # it is there, and libpq is not
            found = f"cannot be loaded ({str(error).strip().partition(chr(10))[0]})"
        else:
            return
    raise ConfigurationError(
        f"The store is on PostgreSQL, and its driver psycopg {found}.",
        "Run: pip install 'index-entitlements[postgres]'",
    )


def _require_text(url: str) -> None:
    """Refuse bytes that Python could not decode (PEP 383): an error over them would quote it all.

    A SQLite file may be named so, as any other file.
    """
    try:
        url.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            "The database address is not UTF-8.", "Write %FF and the like for odd bytes."
        ) from None
