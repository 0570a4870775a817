"""Raw connections for the request path: a stack of idle ones, safe across threads and forks.

The request path speaks to the driver itself: the same look-up through SQLAlchemy's statements and
objects costs ten times as much.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from entitlements_core.errors import StoreError
from entitlements_core.store.connection_stack import ConnectionStack
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseLocked, failure_of
from entitlements_core.store.schema_revisions import require_usable
from entitlements_core.store.store_file import FileIdentity, StoreConnection

if TYPE_CHECKING:
    from entitlements_core.store.postgres_stack import PostgresStack

__all__ = ["SqliteStack", "open_sqlite", "open_stack"]

log: Final = logging.getLogger("entitlements.store")

SMALL_CACHE: Final = 2048
"""KiB of pages that a connection keeps, unless more is asked for."""

LOOK_AGAIN: Final = 0.002
"""Seconds for which a look at the path of a SQLite store is good. Looking lets other threads go
first, which costs a request for a page a third more; nobody replaces a file and changes the new one
in less."""


class SqliteStack(ConnectionStack):
    """Idle connections to the file that a path names now; those to a former file are let go.

    A file that takes the former one's place is used from the next connection on, if it is a store
    of the same schema and key. What else lies there, or nothing, is an error until it is mended;
    nothing is made.

    Args:
        url: of the file.
        connect: opens a connection to it.
        key_fingerprint: which key the store belongs to; None asks nothing of a file that comes.
    """

    def __init__(
        self,
        url: DatabaseURL,
        connect: Callable[[], StoreConnection],
        key_fingerprint: str | None = None,
    ) -> None:
        super().__init__(connect)
        self.file = url.file
        self._url = url
        self._key_fingerprint = key_fingerprint
        self._following = threading.Lock()
        self._seen: tuple[FileIdentity | None, float] = (None, 0.0)
        """The file that was there last, and when it was looked at (monotonic seconds)."""
        self.replacements = 0
        """How often another file or log came; what was read before that is out of date."""

    def follow(self) -> FileIdentity:
        """The file that the path names, which `take` connects to.

        Raises:
            StoreError: when there is none, or none that can be used.
        """
        now = time.monotonic()
        known, looked = self._seen
        if known is not None and now - looked < LOOK_AGAIN:
            return known
        if known is not None and self.file.has(known):
            self._seen = (known, now)
            return known
        identity = self.file.identity()
        if identity != known:
            self._change(identity)
        self._seen = (identity, now)
        return identity

    def take(self) -> Any:  # noqa: ANN401 - as the base class
        """A connection to the file that the path names, to be given back or closed.

        Raises:
            StoreError: as `follow` does, or when it cannot be opened.
        """
        while True:
            identity = self.follow()
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self.open()
                identity = (*identity[:2], *connection.identity[2:])
            if connection.identity == identity:
                return connection
            connection.close()
            self._seen = (self._seen[0], -LOOK_AGAIN)

    def open(self) -> StoreConnection:
        """A connection of the caller's own; its log is the one that is compared from now on.

        Raises:
            StoreError: when the file cannot be opened.
        """
        connection: StoreConnection = self.connect()
        known, looked = self._seen
        if known is not None and known[:2] == connection.identity[:2]:
            self._seen = (connection.identity, looked)
        return connection

    def give_back(self, connection: Any) -> None:  # noqa: ANN401 - as the base class
        """Keep a sound connection for the next one, unless another file came meanwhile."""
        if connection.identity == self._seen[0]:
            super().give_back(connection)
        else:
            connection.close()

    def require(self, connection: StoreConnection) -> None:
        """Return when the path names the file of `connection` at this very moment.

        Raises:
            StoreError: when it does not.
        """
        try:
            self.file.require(connection.identity)
        except StoreError:
            self._seen = (self._seen[0], -LOOK_AGAIN)
            raise

    def forget(self) -> None:
        """Leave the connections to the process they belong to."""
        super().forget()
        self._following = threading.Lock()

    def _change(self, identity: FileIdentity) -> None:
        with self._following:
            known, _ = self._seen
            if identity == known:
                return
            if known is not None and known[:2] != identity[:2]:
                self._examine(identity)
                log.warning("another file is the store %s now, and is used", self._url)
            self.replacements += known is not None
            self._seen = (identity, 0.0)
        # SQLite deletes a log only while the path names the file that it belongs to.
        self.close()

    def _examine(self, identity: FileIdentity) -> None:
        """Return when the file that came can be used."""
        connection = self.connect()
        try:
            require_usable(connection, self._url, self._key_fingerprint)
        finally:
            connection.close()
        if self.file.identity()[:2] != identity[:2]:
            self.file.require(identity)


def open_stack(
    place: str | DatabaseURL, *, key_fingerprint: str | None = None
) -> "SqliteStack | PostgresStack":
    """The raw connections to the store at `place`.

    Args:
        place: a `DatabaseURL`, or its text with the timeouts of requests.
        key_fingerprint: as for `SqliteStack`.
    """
    url = DatabaseURL.of(place)
    if not url.is_sqlite:
        from entitlements_core.store.postgres_stack import (  # noqa: PLC0415 - an optional extra
            PostgresStack,
        )

        return PostgresStack(url)
    return open_sqlite(url, key_fingerprint=key_fingerprint)


def open_sqlite(
    url: DatabaseURL,
    *,
    synchronous: str = "FULL",
    cache_kib: int = SMALL_CACHE,
    key_fingerprint: str | None = None,
) -> SqliteStack:
    """The raw connections to a SQLite store.

    Args:
        url: of the file.
        synchronous: FULL keeps every commit through a power cut, NORMAL only through the end of the
            process.
        cache_kib: memory that each connection may keep pages in, KiB. Behind it, the operating
            system keeps them for all.
        key_fingerprint: as for `SqliteStack`.
    """
    return SqliteStack(url, lambda: _connect_sqlite(url, synchronous, cache_kib), key_fingerprint)


def _connect_sqlite(url: DatabaseURL, synchronous: str, cache_kib: int) -> StoreConnection:
    try:
        connection = url.connect_sqlite()
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA cache_size=-{cache_kib}")
        connection.execute("PRAGMA wal_autocheckpoint=0")
    except sqlite3.Error as error:
        failure = failure_of(error, str(url))
        if isinstance(failure, DatabaseLocked):
            raise failure from error
        # A file that is no database is only found out by the first statement.
        raise StoreError(f"The store {url} cannot be opened: {error}.") from error
    return connection
