"""A stack of idle connections, safe across threads and forks."""

import contextlib
import os
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

__all__ = ["ConnectionStack", "Rows", "keep_inherited"]

Rows = list[tuple[Any, ...]]
"""What a statement gives, whichever driver ran it."""


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
        keep_inherited(self._idle)
        self._idle = deque()


_inherited: Final[list[object]] = []
"""Connections of a parent process, kept from the garbage collector, which would close them."""


def keep_inherited(connections: object) -> None:
    """Leave connections to the parent process that they belong to."""
    # Not closed: closing would speak to the server, or drop locks, on the parent's behalf.
    _inherited.append(connections)


def _forget(stack: ConnectionStack | None) -> None:
    if stack is not None:
        stack.forget()
