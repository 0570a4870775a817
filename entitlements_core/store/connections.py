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

from entitlements_core.errors import StoreError
from entitlements_core.store.address import Address
from entitlements_core.store.failures import unreachable

__all__ = ["ConnectionStack", "open_stack"]

BUSY_TIMEOUT: Final = 10.0
"""Seconds that a statement waits for another process's transaction."""
POSTGRES_OPTIONS: Final = f"-c lock_timeout={BUSY_TIMEOUT * 1000:.0f} -c synchronous_commit=on"
"""What was answered is on the disk, whatever the server's default; what is locked is an error."""


SMALL_CACHE: Final = 2048


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


def open_stack(
    url: str, *, synchronous: str = "FULL", cache_kib: int = SMALL_CACHE
) -> ConnectionStack:
    """The raw connections to the store at `url`.

    Args:
        url: an SQLAlchemy URL.
        synchronous: of SQLite: FULL keeps every commit through a power cut, NORMAL only through
            the end of the process.
        cache_kib: memory that each SQLite connection may keep pages in, KiB. Behind it, the
            operating system keeps them for all.
    """
    address = Address.parse(url)
    if address.is_sqlite:
        return ConnectionStack(lambda: _connect_sqlite(address, synchronous, cache_kib))
    return ConnectionStack(lambda: _connect_postgres(address))


def _connect_sqlite(address: Address, synchronous: str, cache_kib: int) -> sqlite3.Connection:
    try:
        # mode=rw: a missing store is an error here, never a new and empty one.
        connection = sqlite3.connect(
            f"file:{quote(str(address.path.absolute()))}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA cache_size=-{cache_kib}")
        connection.execute("PRAGMA wal_autocheckpoint=0")
    except sqlite3.Error as error:
        # A file that is no database is only found out by the first statement.
        raise StoreError(f"The store {address} cannot be opened: {error}.") from error
    return connection


def _connect_postgres(address: Address) -> Any:  # noqa: ANN401 - psycopg is an optional extra
    import psycopg  # noqa: PLC0415 - an optional extra

    options = f"{address.postgres_options['options']} {POSTGRES_OPTIONS}"  # the last word counts
    try:
        return psycopg.connect(
            address.conninfo,
            autocommit=True,
            prepare_threshold=1,
            connect_timeout=int(BUSY_TIMEOUT),
            options=options,
        )
    except psycopg.Error as error:
        raise unreachable(str(address)) from error
