"""The one place where connections to PostgreSQL are opened, with one set of options.

A server that was stopped, or whose host is gone, keeps none of its own time limits. So each
connection has a deadline on this side as well, which is looked at while it waits. What works for
long has no deadline: there, a new connection shows from time to time that the server still answers.
"""

import contextlib
import math
import select
import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors

from entitlements_core.errors import StoreError
from entitlements_core.store.circuit_breaker import CircuitBreaker, circuit_of
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import failure_of, held, unreachable

__all__ = ["SHARED", "BoundConnection", "Held", "Silent", "connect", "failure", "is_dead", "reach"]

LOOK: Final = 10.0
"""Seconds of silence after which work that has time asks whether the server is there."""
SHARED: Final = 1.0
"""Seconds without an answer to anybody, after which one request waits on, and the others leave."""
_SLOW: Final = 1.0
"""Seconds; a server that refuses does it faster than one that is silent."""
_SERVER_FIRST: Final = 0.9
"""Of the deadline: when a server that is well ends a statement by itself, and says so."""
_FAREWELL: Final = 2.0
"""Seconds for which a server is told that a statement was interrupted."""
_TICK: Final = 100
"""Milliseconds of silence between two looks at the time."""
_READY: Final = {select.POLLIN: 1, select.POLLOUT: 2}
"""psycopg's numbers for what may be done, by the event of the socket; at any other, such as an
error, it is told that both may be, and finds out."""
_EVENTS: Final = {1: select.POLLIN, 2: select.POLLOUT, 3: select.POLLIN | select.POLLOUT}
"""The events to wait for, by psycopg's numbers."""
_GONE: Final = frozenset({"57P01", "57P02", "57P03", "25006"})
"""The server ends, starts, or is no longer the one that is written to; nothing was committed."""

Result = TypeVar("Result")


class GaveUp(psycopg.OperationalError):
    """There was no answer until the deadline. The connection is closed by then."""


class Silent(GaveUp):
    """The server answered nobody meanwhile."""


class Held(GaveUp):
    """The server answered others meanwhile: somebody holds what was asked for."""


class BoundConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose waiting ends.

    Attributes:
        deadline: when waiting ends, in monotonic seconds; None where there is no such moment.
        began: when the present use began, likewise.
        asked: when the server was last asked for something, likewise.
        is_scout: waits until the deadline for a server that may be silent, as one does for all.
        circuit: tells that others gave up waiting for the same server since then.
        url: where else to ask whether the server is there.
        prepared: the statements that `run_prepared` has prepared, and their names on the server.
    """

    deadline: float | None = None
    began: float = 0.0
    asked: float = 0.0
    is_scout: bool = False
    circuit: CircuitBreaker | None = None
    url: DatabaseURL | None = None
    prepared: dict[str, bytes]
    _polled: tuple[int, Any] = (0, None)

    def bound(self, seconds: float | None) -> None:
        """Begin a use that ends after `seconds`; None for one that takes as long as it takes."""
        self.began = time.monotonic()
        self.deadline = None if seconds is None else self.began + seconds
        self.is_scout = False

    def require_time(self) -> None:
        """Return while it makes sense to wait on; for every loop that waits for the server.

        Raises:
            Silent: when the deadline has passed, or others found the server silent meanwhile.
            Held: when the deadline has passed, and others were answered meanwhile.
        """
        now = time.monotonic()
        if self.deadline is None:
            if now - self.began >= LOOK:
                self._look()
            return
        circuit = self.circuit
        was_heard = circuit is not None and circuit.heard_at > self.asked
        if now >= self.deadline:
            kind = Held if was_heard else Silent
            raise kind(f"no answer within {now - self.began:.1f} seconds")
        if circuit is None or was_heard or self.is_scout:
            return
        if circuit.broke_since(self.began):
            raise Silent("no answer to other requests either")
        if now - self.asked >= SHARED:
            self.is_scout = True
            circuit.suspect()

    def wait(self, gen: Generator[Any, Any, Result], *_: Any, **__: Any) -> Result:  # noqa: ANN401 - as psycopg's, of any version
        """As psycopg's own, until the deadline; its own in C asks nobody on the way."""
        self.asked = time.monotonic()
        if self.deadline is None:
            self.began = self.asked
        try:
            found = self._wait(gen)
        except GaveUp:
            self.pgconn.finish()  # what it may still say belongs to nobody
            raise
        except (KeyboardInterrupt, SystemExit):
            with contextlib.suppress(psycopg.Error):
                self.cancel_safe(timeout=_FAREWELL)
            self.pgconn.finish()
            raise
        if self.circuit is not None:
            self.circuit.mend()
        return found

    def _wait(self, gen: Generator[Any, Any, Result]) -> Result:
        try:
            wanted = next(gen)
            poll = self._poller(wanted)
            while True:
                found = poll.poll(_TICK)
                if found:
                    event = found[0][1]
                    ready = _READY.get(event, 3)
                else:
                    self.require_time()
                    ready = 0
                now_wanted = gen.send(ready)
                if now_wanted != wanted:
                    wanted = now_wanted
                    poll = self._poller(wanted)
        except StopIteration as end:
            value: Result = end.value
            return value

    def _poller(self, wanted: int) -> Any:  # noqa: ANN401 - of `select`, or of gevent
        """What waits for the socket, made once: its number stays while the connection is open."""
        known, poll = self._polled
        if known != wanted:
            if poll is None:
                poll = select.poll()  # gevent puts its own in its place
            poll.register(self.pgconn.socket, _EVENTS[wanted])
            self._polled = (wanted, poll)
        return poll

    def _look(self) -> None:
        """Return when the server lets somebody in, or says that it does not."""
        self.began = time.monotonic()
        if self.url is None:
            return
        try:
            reach(self.url).close()
        except errors.ConnectionTimeout as error:
            raise Silent("no answer, and none to a new connection") from error
        except psycopg.Error:
            return  # it refuses, so it is there; where it shuts down, it ends this connection too


def connect(url: DatabaseURL, *, in_blocks: bool = False) -> BoundConnection:
    """A connection to the server of `url` that may be written to.

    Args:
        url: of a PostgreSQL database; its timeouts hold.
        in_blocks: statements are transactions until they are committed, as SQLAlchemy wants it.

    Raises:
        psycopg.Error: when none lets us in, or none did a moment ago.
    """
    circuit = circuit_of(str(url))
    if circuit.is_open and circuit.admit() is None:
        raise Silent("no answer a moment ago")
    connection = reach(url, in_blocks=in_blocks)
    circuit.mend()
    return connection


def reach(url: DatabaseURL, *, in_blocks: bool = False) -> BoundConnection:
    """As `connect`, whatever happened a moment ago; others are told when it was in vain."""
    circuit, began = circuit_of(str(url)), time.monotonic()
    try:
        connection = _open(url, in_blocks=in_blocks)
    except BaseException:
        if circuit.is_open or time.monotonic() - began >= _SLOW:
            circuit.break_off()
        raise
    connection.circuit, connection.url = circuit, url
    connection.prepared = {}
    connection.bound(url.timeouts.answer)
    return connection


def _open(url: DatabaseURL, *, in_blocks: bool) -> BoundConnection:
    timeouts = url.timeouts
    server = url.postgres
    return BoundConnection.connect(
        **{  # type: ignore[arg-type] # libpq takes text and numbers by its own names
            "connect_timeout": max(2, math.ceil(timeouts.connect / max(1, len(server.hosts)))),
            "keepalives_idle": math.ceil(timeouts.keepalive),
            "keepalives_interval": max(1, math.ceil(timeouts.keepalive / 3)),
            "keepalives_count": 3,
            "tcp_user_timeout": round(1000 * (timeouts.answer or 2 * timeouts.keepalive)),
            **server.parameters(),
            "client_encoding": "UTF8",
            "options": _session(url, server.options.get("options", "")),
        },
        autocommit=not in_blocks,
        prepare_threshold=5 if in_blocks else 1,
    )


def _session(url: DatabaseURL, given: str) -> str:
    """The settings of a session; the last word counts."""
    timeouts = url.timeouts
    # What was answered is on the disk, whatever the server's default.
    words = [given, f"-c lock_timeout={timeouts.lock_ms}", "-c synchronous_commit=on"]
    if timeouts.answer is not None:
        limit = max(1, round(timeouts.answer * 1000 * _SERVER_FIRST))
        words.append(f"-c statement_timeout={limit}")
        # A node that was stopped amid a transaction lets go of its locks.
        words.append(f"-c idle_in_transaction_session_timeout={limit}")
    return " ".join(word for word in words if word)


def is_dead(connection: BoundConnection, error: psycopg.Error) -> bool:
    """Whether a connection had been lost before its first statement, so that another one helps."""
    return not isinstance(error, GaveUp) and (connection.closed or error.sqlstate in _GONE)


def failure(error: psycopg.Error, url: DatabaseURL) -> StoreError:
    """The error to raise for one of psycopg's; a server that answers says a code with it."""
    if isinstance(error, Held):
        return held(str(url))
    found = failure_of(error, str(url))
    if error.sqlstate is None and found.code == "store":
        return unreachable(str(url), error, url.secrets)
    return found
