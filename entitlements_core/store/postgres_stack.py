"""Idle connections to PostgreSQL.

One that died is replaced unnoticed; a server that is silent is left alone for a moment.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import psycopg

from entitlements_core.store import postgres
from entitlements_core.store.address import Address
from entitlements_core.store.circuit import circuit_of
from entitlements_core.store.failures import unreachable
from entitlements_core.store.postgres import BoundConnection, Silent
from entitlements_core.store.stack import ConnectionStack

__all__ = ["PostgresStack"]

PROBE: Final = 1.0
"""Seconds for the one question that finds out whether a silent server answers again."""
_SLOW: Final = 1.0
"""Seconds; a server that refuses does it faster than one that is silent."""

Value = TypeVar("Value")


class PostgresStack(ConnectionStack):
    """Connections to one PostgreSQL database.

    Args:
        address: of it, with its timeouts.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(self._connect)
        self._address = address
        self._circuit = circuit_of(str(address))

    def ask(self, work: Callable[[BoundConnection], Value]) -> Value:
        """What `work` gives, which only reads; done again where an idle connection had died.

        Raises:
            StoreError: when it cannot be done.
        """
        connection, found = self._first(work)
        self.give_back(connection)
        return found

    @contextmanager
    def begun(
        self, first: Callable[[BoundConnection], Value]
    ) -> Iterator[tuple[BoundConnection, Value]]:
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
            raise postgres.failure(error, self._address) from error
        except BaseException:
            connection.close()  # which ends its transaction
            raise
        self.give_back(connection)

    def take(self) -> BoundConnection:
        """A connection, to be given back or closed, with its deadline.

        Raises:
            StoreError: when there is none.
        """
        try:
            return self._take()[0]
        except psycopg.Error as error:
            raise postgres.failure(error, self._address) from error

    def _first(self, work: Callable[[BoundConnection], Value]) -> tuple[BoundConnection, Value]:
        try:
            connection, is_new = self._take()
            try:
                return connection, self._done(connection, work)
            except psycopg.Error as error:
                if is_new or not postgres.is_dead(connection, error):
                    raise
            connection = self._connect()
            return connection, self._done(connection, work)
        except psycopg.Error as error:
            raise postgres.failure(error, self._address) from error

    def _done(self, connection: BoundConnection, work: Callable[[BoundConnection], Value]) -> Value:
        try:
            return work(connection)
        except psycopg.Error as error:
            self._lose(connection, error)
            raise
        except BaseException:
            connection.close()
            raise

    def _take(self) -> tuple[BoundConnection, bool]:
        """A connection, and whether it is a new one."""
        circuit = self._circuit
        if circuit.is_open:
            admitted = circuit.admit()
            if admitted is None:
                raise unreachable(str(self._address))
            if not admitted:
                return self._probe(), True
        try:
            connection: BoundConnection = self._idle.pop()
        except IndexError:
            return self._connect(), True
        connection.bound(self._address.timeouts.answer)
        return connection, False

    def _connect(self) -> BoundConnection:
        began = time.monotonic()
        try:
            connection = postgres.connect(self._address)
        except psycopg.Error:
            if time.monotonic() - began >= _SLOW:
                self._circuit.break_off()
            raise
        connection.circuit = self._circuit
        return connection

    def _probe(self) -> BoundConnection:
        """A new connection to a server that was silent, when it answers again."""
        self.close()
        try:
            connection = self._connect()
            connection.bound(PROBE)
            connection.execute("SELECT 1")
        except BaseException:
            self._circuit.break_off()
            raise
        self._circuit.mend()
        connection.bound(self._address.timeouts.answer)
        return connection

    def _lose(self, connection: BoundConnection, error: psycopg.Error) -> None:
        """Close a connection that failed, and the idle ones where they are no better."""
        was_lost = (
            connection.closed or error.sqlstate is None or postgres.is_dead(connection, error)
        )
        with contextlib.suppress(Exception):
            connection.close()
        if isinstance(error, Silent):
            self._circuit.break_off()
        if was_lost:
            self.close()
