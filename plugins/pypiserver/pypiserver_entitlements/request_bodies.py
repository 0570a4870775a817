"""Bodies that strangers send: read within a bound and a time, or not at all.

WSGI has no time limit for reading, and whoever sends one byte a minute holds a thread. Where the
connection can be found, its reading side is shut down when the time is over: whatever waits for the
body then meets its end, and the answer still goes out.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["DIGITS", "SECONDS", "Discarding", "length_of", "read_within"]


DIGITS: Final = 18
"""Of a length that is read as one; Python reads no number of some thousands."""
DISCARDED: Final = 16 * 1024 * 1024
"""Bytes of a refused request that are still read, inclusive."""
AT_ONCE: Final = 2
"""Refused requests of a process whose bodies are read at the same time."""
SECONDS: Final = 3.0
"""In which a body that nobody wants has to be there."""
CHUNK: Final = 64 * 1024


class Discarding:
    """Reads what nobody wants, so that a refusal arrives.

    A server that closes while a client still sends resets the connection, and then the client shows
    that instead of the reason. It is a courtesy: only for what comes soon, and for few at once.
    """

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def discard(self, environ: WSGIEnvironment, *, most: int) -> None:
        """Read the body of a request that is refused, if it is not too large.

        Args:
            environ: of the request (PEP 3333).
            most: bytes, inclusive.
        """
        left = length_of(environ)
        if not 0 < left <= min(most, DISCARDED) or not _ends_in_time(environ):
            return
        if not self._turns.acquire(blocking=False):
            return
        try:
            with read_within(environ, SECONDS), suppress(OSError):
                while left > 0 and (data := environ["wsgi.input"].read(min(left, CHUNK))):
                    left -= len(data)
        finally:
            self._turns.release()


def length_of(environ: WSGIEnvironment) -> int:
    """Bytes of a request's body as its header says; 0 where it says nothing that can be read."""
    length = environ.get("CONTENT_LENGTH") or ""
    return int(length) if length.isdecimal() and len(length) <= DIGITS else 0


def _ends_in_time(environ: WSGIEnvironment) -> bool:
    """Whether reading the body can be ended: it is there already, or the connection is known."""
    if _is_there(environ):
        return True
    connection = _connection(environ)
    if connection is None:
        return False
    connection.close()
    return True


@contextmanager
def read_within(environ: WSGIEnvironment, seconds: float) -> Iterator[None]:
    """What is read of the body in this block ends after so many seconds, where that can be done."""
    connection = None if _is_there(environ) else _connection(environ)
    if connection is None:
        yield
        return
    with connection:
        timer = threading.Timer(seconds, _shut, (connection,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            # What was begun has to end before the descriptor is somebody else's.
            timer.join()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


def _is_there(environ: WSGIEnvironment) -> bool:
    """Whether the server has read the body before it called us, as waitress does."""
    seekable = getattr(environ["wsgi.input"], "seekable", None)
    return seekable is not None and seekable()


def _connection(environ: WSGIEnvironment) -> socket.socket | None:
    """A descriptor of our own for the client's connection; None where it cannot be found."""
    body, uwsgi = environ["wsgi.input"], sys.modules.get("uwsgi")
    # gunicorn's, or gevent's; wsgiref and Werkzeug give the connection's file itself.
    known: Any = environ.get("gunicorn.socket") or getattr(body, "rfile", body)
    try:
        descriptor: int = uwsgi.connection_fd() if uwsgi else known.fileno()
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        return socket.socket(fileno=os.dup(descriptor))
    except (AttributeError, OSError, ValueError):
        return None
