"""Idle connections to PostgreSQL.

One that died is replaced unnoticed; a server that is silent is left alone for a moment.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, TypeVar

import psycopg

from entitlements_core.errors import StoreError
from entitlements_core.store import postgres
from entitlements_core.store.circuit_breaker import CircuitBreaker, circuit_of
from entitlements_core.store.connection_stack import ConnectionStack, Rows
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseLocked, held, unreachable
from entitlements_core.store.postgres import SHARED, BoundConnection, Held, Silent
from entitlements_core.store.prepared_statements import run_prepared

__all__ = ["PostgresStack"]

PROBE: Final = 1.0
"""Seconds for the one question that finds out whether a silent server answers again."""

Result = TypeVar("Result")


class PostgresStack(ConnectionStack):
    """Connections to one PostgreSQL database.

    Args:
        url: of it, with its timeouts.
    """

    def __init__(self, url: DatabaseURL) -> None:
        super().__init__(self._connect)
        self._url = url
        self._circuit = circuit_of(str(url))
        self._connecting = threading.Lock()
        self._held: dict[str, CircuitBreaker] = {}
        """By the statement that had to wait in vain."""

    def ask(self, work: Callable[[BoundConnection], Result]) -> Result:
        """What `work` gives, which only reads; done again where an idle connection had died.

        Raises:
            StoreError: when it cannot be done.
        """
        connection, found = self._first(work)
        self.give_back(connection)
        return found

    def rows(self, statement: str, values: tuple[object, ...]) -> Rows:
        """The rows of a statement with ``?`` for its values, which only reads.

        Where somebody holds what it reads, one waits from time to time, and the others are refused
        at once: each of them is a thread that others need.

        Raises:
            StoreError: when the store cannot be read.
        """
        patience = self._held.setdefault(statement, CircuitBreaker())
        if patience.is_open and patience.admit() is None:
            raise held(str(self._url))
        try:
            found = self.ask(lambda connection: run_prepared(connection, (statement, values))[0])
        except StoreError as error:
            if isinstance(error, DatabaseLocked):
                patience.break_off()
            else:
                patience.mend()
            raise
        if patience.is_open:
            patience.mend()
        return found

    @contextmanager
    def begun(
        self, first: Callable[[BoundConnection], Result]
    ) -> Iterator[tuple[BoundConnection, Result]]:
        """A connection for a transaction, and what `first` gives, which begins it.

        `first` commits nothing, and is done again where an idle connection had died. Whatever fails
        in the block is not: it may have been committed.

        Raises:
            StoreError: when it cannot be done.
        """
        connection, found = self._first(first)
        try:
            yield connection, found
        except psycopg.Error as error:
            self._lose(connection, error)
            raise postgres.failure(error, self._url) from error
        except BaseException:
            connection.close()  # which ends its transaction
            raise
        self.give_back(connection)

    def forget(self) -> None:
        """Leave the connections to the process they belong to."""
        super().forget()
        self._connecting = threading.Lock()

    def take(self) -> BoundConnection:
        """A connection, to be given back or closed, with its deadline.

        Raises:
            StoreError: when there is none.
        """
        try:
            return self._take()[0]
        except psycopg.Error as error:
            raise postgres.failure(error, self._url) from error

    def _first(self, work: Callable[[BoundConnection], Result]) -> tuple[BoundConnection, Result]:
        """A connection, and what `work` gives; a second time where an idle connection had died."""
        try:
            connection, is_new = self._take()
            try:
                return connection, work(connection)
            except psycopg.Error as error:
                was_dead = self._lose(connection, error)
                if is_new or not was_dead:
                    raise
            except BaseException:
                connection.close()
                raise
            connection = self._connect()
            return connection, self._again(connection, work)
        except psycopg.Error as error:
            raise postgres.failure(error, self._url) from error

    def _again(
        self, connection: BoundConnection, work: Callable[[BoundConnection], Result]
    ) -> Result:
        try:
            return work(connection)
        except BaseException as error:
            if isinstance(error, psycopg.Error):
                self._lose(connection, error)
            connection.close()
            raise

    def _take(self) -> tuple[BoundConnection, bool]:
        """A connection, and whether it is a new one."""
        circuit = self._circuit
        if circuit.is_open:
            admitted = circuit.admit()
            if admitted is None:
                raise unreachable(str(self._url))
            if not admitted:
                return self._probe(), True
        try:
            connection: BoundConnection = self._idle.pop()
        except IndexError:
            return self._connect(), True
        connection.bound(self._url.timeouts.answer)
        return connection, False

    def _connect(self) -> BoundConnection:
        # One at a time: nothing interrupts who connects to a silent server, but who waits for it.
        began = time.monotonic()
        while not self._connecting.acquire(timeout=SHARED):
            if self._circuit.heard_at < began:
                self._circuit.suspect()
                raise Silent("no answer to another request that connects")
        try:
            return postgres.reach(self._url)
        finally:
            self._connecting.release()

    def _probe(self) -> BoundConnection:
        """A new connection to a server that was silent, when it answers again."""
        self.close()
        patience = replace(self._url.timeouts, connect=PROBE)
        connection = postgres.reach(replace(self._url, timeouts=patience))
        connection.bound(PROBE)
        try:
            connection.execute("SELECT 1")
        except BaseException:
            self._circuit.break_off()
            connection.close()
            raise
        self._circuit.mend()
        connection.bound(self._url.timeouts.answer)
        return connection

    def _lose(self, connection: BoundConnection, error: psycopg.Error) -> bool:
        """Close a connection that failed; whether it was dead, as the idle ones are then."""
        was_dead = postgres.is_dead(connection, error)
        with contextlib.suppress(Exception):
            connection.close()
        if isinstance(error, Silent) and not self._circuit.is_open:
            self._circuit.break_off()
        if was_dead or (error.sqlstate is None and not isinstance(error, Held)):
            self.close()
        return was_dead
