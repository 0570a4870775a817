"""The store as servers read it: SQL to the driver, without SQLAlchemy, and the store's version."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from entitlements_core.errors import EntitlementsError, StoreError
from entitlements_core.store.connection_stack import Rows, keep_inherited
from entitlements_core.store.connections import SqliteStack, open_stack
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.store_file import FileIdentity, StoreConnection
from entitlements_core.store.wal_index import WalIndex

__all__ = ["RawStore"]

StoreVersion = tuple[int, bytes]
"""How often another file took the store's place, and the header of its WAL index."""


@dataclass(frozen=True, slots=True)
class _OpenIndex:
    """A WAL index: of which process and file, and the connection that keeps it there."""

    process: int = 0
    identity: FileIdentity | None = None
    wal: WalIndex | None = None
    keeper: StoreConnection | None = None


class RawStore:
    """Reads from the store at an SQLAlchemy URL; may be shared by threads, and by forks.

    Args:
        place: of the store, as for `open_stack`.
        key_fingerprint: as for `open_stack`.
    """

    def __init__(self, place: str | DatabaseURL, *, key_fingerprint: str | None = None) -> None:
        self._stack = open_stack(place, key_fingerprint=key_fingerprint)
        self._index = _OpenIndex()

    @property
    def replacements(self) -> int:
        """How often another file took the place of the store."""
        return self._stack.replacements if isinstance(self._stack, SqliteStack) else 0

    def read(self, statement: str, values: tuple[object, ...] = ()) -> Rows:
        """The rows of a statement with ``?`` for its values.

        Raises:
            StoreError: when the store cannot be read.
        """
        stack = self._stack
        if not isinstance(stack, SqliteStack):
            return stack.rows(statement, values)
        connection = stack.take()
        try:
            rows = _fetch(connection, statement, values)
        except StoreError:
            stack.close()
            raise
        stack.give_back(connection)
        return rows

    @contextmanager
    def transaction(self) -> Iterator[RawTransaction]:
        """One transaction that writes, committed at the end of the block.

        Raises:
            StoreError: when the store cannot be written; nothing is, then.
        """
        stack = self._stack
        if not isinstance(stack, SqliteStack):
            with stack.begun(lambda connection: connection.execute("BEGIN")) as (connection, _):
                yield RawTransaction(connection, is_sqlite=False)
                connection.execute("COMMIT")
            return
        opened = stack.take()
        try:
            # IMMEDIATE: a transaction that reads first and writes later could be refused.
            opened.execute("BEGIN IMMEDIATE")
            with opened:  # commits, or takes back
                yield RawTransaction(opened, is_sqlite=True)
            # What was committed into a file that was replaced meanwhile is lost.
            stack.require(opened)
        except EntitlementsError:
            opened.close()
            raise
        except Exception as error:
            opened.close()
            raise StoreError(f"The store cannot be written: {error}.") from error
        stack.give_back(opened)

    def version(self) -> StoreVersion | None:
        """A value that is another one after every commit; None where no answer may be kept.

        Ask for it before the statement: what is committed in between is noticed the next time.

        Raises:
            StoreError: when the store cannot be opened.
        """
        if not isinstance(self._stack, SqliteStack):
            return None
        identity = self._stack.follow()
        index = self._index
        if index.identity != identity or index.process != os.getpid():
            index = self._open_index(self._stack)
        header = None if index.wal is None else index.wal.header()
        return None if header is None else (self._stack.replacements, header)

    def close(self) -> None:
        """Close the idle connections."""
        index, self._index = self._index, _OpenIndex()
        if index.keeper is not None and index.process == os.getpid():
            index.keeper.close()
        self._stack.close()

    def _open_index(self, stack: SqliteStack) -> _OpenIndex:
        """The index for this process; the shared memory stays while its connection is open."""
        former = self._index
        if former.keeper is not None and former.process == os.getpid():
            self._index = _OpenIndex()
            former.keeper.close()
        keeper = stack.open()
        try:
            wal = WalIndex(stack.file.path)
            stack.require(keeper)
        except BaseException:
            keeper.close()
            raise
        if self._index.process != os.getpid():
            keep_inherited(self._index.keeper)
        self._index = _OpenIndex(os.getpid(), keeper.identity, wal, keeper)
        return self._index


class RawTransaction:
    """A transaction that is under way.

    Args:
        connection: of either driver.
        is_sqlite: whose transactions that write are alone.
    """

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:  # noqa: ANN401 - of either driver
        self._connection = connection
        self._is_sqlite = is_sqlite

    def rows(self, statement: str, values: tuple[object, ...] = ()) -> Rows:
        """The rows of a statement with ``?`` for its values."""
        rows: Rows = self._connection.execute(self._written(statement), values).fetchall()
        return rows

    def locked(self, statement: str, values: tuple[object, ...] = ()) -> tuple[Any, ...] | None:
        """The one row of a statement, which nobody else changes until the end; None for none."""
        # NO KEY lets others go on counting, who only need the row to stay there.
        rows = self.rows(statement if self._is_sqlite else f"{statement} FOR NO KEY UPDATE", values)
        return rows[0] if rows else None

    def run_many(self, statement: str, values: Sequence[tuple[object, ...]]) -> None:
        """Run a statement that gives no rows, once for each of the values."""
        if values:
            self._connection.cursor().executemany(self._written(statement), values)

    def _written(self, statement: str) -> str:
        return statement if self._is_sqlite else statement.replace("?", "%s")


def _fetch(connection: Any, statement: str, values: tuple[object, ...]) -> Rows:  # noqa: ANN401 - of either driver
    try:
        rows: Rows = connection.execute(statement, values).fetchall()
    except Exception as error:
        # Whatever the driver raises: a store that cannot be read opens nothing.
        connection.close()
        raise StoreError(f"The store cannot be read: {error}.") from error
    return rows
