"""Raw connections for the request path: a stack of idle ones, safe across threads and forks.

The request path speaks to the driver itself: the same look-up through SQLAlchemy's statements and
objects costs ten times as much.
"""

import contextlib
import os
import sqlite3
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url

from entitlements_core.errors import ConfigurationError, StoreError
from entitlements_core.store.address import Address
from entitlements_core.store.failures import unreachable

__all__ = ["ConnectionStack", "is_sqlite", "open_stack"]

BUSY_TIMEOUT: Final = 10.0
"""Seconds that a statement waits for another process's transaction."""
POSTGRES_OPTIONS: Final = f"-c lock_timeout={BUSY_TIMEOUT * 1000:.0f} -c synchronous_commit=on"
"""What was answered is on the disk, whatever the server's default; what is locked is an error."""


class Connection(Protocol):
    """What the two drivers have in common; statements differ."""

    def close(self) -> None:
        """Let go."""
        ...


class ConnectionStack:
    """Idle connections, the last one used first.

    A stack and not one per thread: under greenlets, threads are as many as requests. After a fork
    the child begins with an empty stack, since no connection may be used by two processes.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.connect = connect
        self._idle: deque[Any] = deque()
        stack = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(stack()))

    @contextmanager
    def borrow(self) -> Iterator[Any]:
        """A connection for the length of the block; one that failed is closed, not reused."""
        connection = self.take()
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(Exception):
                connection.close()
            raise
        self.give_back(connection)

    def take(self) -> Any:  # noqa: ANN401 - of either driver
        """A connection, to be given back or closed."""
        try:
            return self._idle.pop()
        except IndexError:
            return self.connect()

    def give_back(self, connection: Any) -> None:  # noqa: ANN401 - of either driver
        """Keep a sound connection for the next one."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def forget(self) -> None:
        """Leave the connections to the process they belong to."""
        # Not closed: closing would speak to the server, or drop locks, on the parent's behalf.
        _inherited.append(self._idle)
        self._idle = deque()


_inherited: Final[list[deque[Any]]] = []
"""Connections of a parent process, kept from the garbage collector, which would close them."""


def _forget(stack: ConnectionStack | None) -> None:
    if stack is not None:
        stack.forget()


def is_sqlite(url: str) -> bool:
    """Whether a store's URL names SQLite; otherwise it names PostgreSQL.

    Raises:
        ConfigurationError: when it names neither.
    """
    backend = make_url(url).get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigurationError(
            f"The store cannot be kept in {backend}.",
            "Use sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE.",
        )
    return backend == "sqlite"


def open_stack(url: str, *, synchronous: str = "FULL") -> ConnectionStack:
    """The raw connections to the store at `url`.

    Args:
        url: an SQLAlchemy URL.
        synchronous: of SQLite: FULL keeps every commit through a power cut, NORMAL only through
            the end of the process.
    """
    parsed = make_url(url)
    if is_sqlite(url):
        return ConnectionStack(lambda: _connect_sqlite(str(parsed.database), synchronous))
    return ConnectionStack(lambda: _connect_postgres(parsed))


def _connect_sqlite(path: str, synchronous: str) -> sqlite3.Connection:
    try:
        # mode=rw: a missing store is an error here, never a new and empty one.
        connection = sqlite3.connect(
            f"file:{quote(path)}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-32768")
        connection.execute("PRAGMA wal_autocheckpoint=0")
    except sqlite3.Error as error:
        # A file that is no database is only found out by the first statement.
        raise StoreError(f"The store {path} cannot be opened: {error}.") from error
    return connection


def _connect_postgres(url: URL) -> Any:  # noqa: ANN401 - psycopg is an optional extra
    import psycopg  # noqa: PLC0415 - an optional extra

    query: dict[str, Any] = {"connect_timeout": int(BUSY_TIMEOUT), **url.query}
    given = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    query |= {name: value for name, value in given.items() if value}
    query["options"] = f"{POSTGRES_OPTIONS} {query.get('options', '')}"
    try:
        return psycopg.connect(dbname=url.database, autocommit=True, prepare_threshold=1, **query)
    except psycopg.Error as error:
        raise unreachable(str(Address.parse(url.render_as_string()))) from error
