"""Plain statements of the request path, and whether anything was committed since the last one."""

import os
from pathlib import Path
from typing import Any

from entitlements_core.errors import StoreError
from entitlements_core.store.address import Address
from entitlements_core.store.connections import ConnectionStack, open_stack
from entitlements_core.store.signal import CommitSignal

__all__ = ["Rows", "Statements"]

Rows = list[tuple[Any, ...]]


class Statements:
    """Reads from the store at an SQLAlchemy URL; may be shared by threads, and by forks.

    Args:
        url: of the store.
    """

    def __init__(self, url: str) -> None:
        self._stack: ConnectionStack = open_stack(url)
        address = Address.parse(url)
        self._file: Path | None = address.path if address.is_sqlite else None
        self._signal: tuple[int, CommitSignal | None, Any] = (0, None, None)

    def read(self, statement: str, values: tuple[object, ...] = ()) -> Rows:
        """The rows of a statement with ``?`` for its values.

        Raises:
            StoreError: when the store cannot be read.
        """
        if self._file is None:
            statement = statement.replace("?", "%s")
        connection = self._stack.take()
        try:
            rows = _fetch(connection, statement, values)
        except StoreError:
            # Where the server was restarted, the idle connections are dead as well.
            self._stack.close()
            raise
        self._stack.give_back(connection)
        return rows

    def listen(self) -> bytes | None:
        """A value that is another one after every commit; None where each answer must be asked for.

        Listen before the statement: what is committed in between is heard the next time.

        Raises:
            StoreError: when the store cannot be opened.
        """
        process, signal, _ = self._signal
        if process != os.getpid():
            signal = self._attach()
        return None if signal is None else signal.read()

    def close(self) -> None:
        """Close the idle connections."""
        process, _, keeper = self._signal
        self._signal = (0, None, None)
        if keeper is not None and process == os.getpid():
            keeper.close()
        self._stack.close()

    def _attach(self) -> CommitSignal | None:
        """Begin to listen in this process, with a connection of its own that is kept open."""
        signal = keeper = None
        if self._file is not None:
            keeper = self._stack.connect()
            # Only a connection that has read holds on to the shared memory.
            _fetch(keeper, "SELECT 1 FROM store_info", ())
            signal = CommitSignal(self._file)
        self._signal = (os.getpid(), signal, keeper)
        return signal


def _fetch(connection: Any, statement: str, values: tuple[object, ...]) -> Rows:  # noqa: ANN401 - of either driver
    try:
        rows: Rows = connection.execute(statement, values).fetchall()
    except Exception as error:
        # Whatever the driver raises: a store that cannot be read opens nothing.
        connection.close()
        raise StoreError(f"The store cannot be read: {error}.") from error
    return rows
