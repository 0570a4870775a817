"""Statements of the request path on PostgreSQL, at the level of libpq.

psycopg's cursors find out anew for each statement how its values are written and its rows read,
and that takes longer than the server does. Here a statement is prepared once in a connection,
several go out together, and the few kinds of values that the store has are written and read
directly.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from psycopg import errors, pq

from entitlements_core.store.connection_stack import Rows
from entitlements_core.store.postgres import BoundConnection

__all__ = ["run_prepared"]

Statement = tuple[str, Sequence[object]]
"""A statement with ``?`` for its values; and these: int, str, bytes, None, lists without bytes."""

_READ: Final = 1
_WRITE: Final = 2
"""psycopg's words for what is waited for."""
_TEXT: Final = 0
_BINARY: Final = 1
_INTEGERS: Final = frozenset({20, 21, 23})
_TEXTS: Final = frozenset({25, 1043})
_BOOLEAN: Final = 16
"""The numbers of types, of ``pg_type``."""
_DONE: Final = frozenset({pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK})


def run_prepared(connection: BoundConnection, *statements: Statement) -> list[Rows]:
    """The rows of each statement, in one round trip.

    Several are one unit: when one fails, those after it are not run.

    Args:
        connection: within its deadline.
        statements: of any number.

    Raises:
        psycopg.Error: when one fails; the connection is then to be closed.
    """
    known = connection.prepared
    names = []
    for text, _ in statements:
        name = known.get(text)
        if name is None:
            name = b"x%d" % len(known)
            connection.wait(_prepare(connection.pgconn, name, text))
            known[text] = name
        names.append(name)
    if len(statements) == 1:
        return [connection.wait(_ask(connection.pgconn, names[0], statements[0][1]))]
    return connection.wait(_ask_all(connection.pgconn, names, statements))


Waiting = Generator[int, int, Any]
"""As psycopg's own: yields what to wait for, is sent what may be done, returns what was found."""


def _prepare(pgconn: pq.abc.PGconn, name: bytes, statement: str) -> Waiting:
    pgconn.send_prepare(name, _numbered(statement))
    yield from _flush(pgconn)
    yield from _result(pgconn)
    yield from _rest(pgconn)


def _ask(pgconn: pq.abc.PGconn, name: bytes, values: Sequence[object]) -> Waiting:
    _send(pgconn, name, values)
    yield from _flush(pgconn)
    rows = _rows((yield from _result(pgconn)))
    yield from _rest(pgconn)
    return rows


def _ask_all(pgconn: pq.abc.PGconn, names: list[bytes], statements: Sequence[Statement]) -> Waiting:
    pgconn.enter_pipeline_mode()
    for name, (_, values) in zip(names, statements, strict=True):
        _send(pgconn, name, values)
    pgconn.pipeline_sync()
    yield from _flush(pgconn)
    found = []
    for _ in names:
        found.append(_rows((yield from _result(pgconn))))
        yield from _rest(pgconn)
    yield from _rest(pgconn)  # the end of the unit
    pgconn.exit_pipeline_mode()
    return found


def _send(pgconn: pq.abc.PGconn, name: bytes, values: Sequence[object]) -> None:
    pgconn.send_query_prepared(
        name,
        [_written(value) for value in values],
        [_BINARY if isinstance(value, bytes) else _TEXT for value in values],
    )


def _flush(pgconn: pq.abc.PGconn) -> Waiting:
    while pgconn.flush():
        ready = yield _READ | _WRITE
        if ready & _READ:
            pgconn.consume_input()


def _result(pgconn: pq.abc.PGconn) -> Waiting:
    """The next result.

    Raises:
        psycopg.Error: when it is one.
    """
    while pgconn.is_busy():
        yield _READ
        pgconn.consume_input()
    result = pgconn.get_result()
    if result is None or result.status not in _DONE:
        raise _error(pgconn, result)
    return result


def _rest(pgconn: pq.abc.PGconn) -> Waiting:
    """Read on to the end of a result."""
    while True:
        while pgconn.is_busy():
            yield _READ
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None or result.status == pq.ExecStatus.PIPELINE_SYNC:
            return
        if result.status not in _DONE:
            raise _error(pgconn, result)


def _error(pgconn: pq.abc.PGconn, result: pq.abc.PGresult | None) -> Exception:
    if result is None:
        return errors.InternalError(f"no result: {pgconn.error_message.decode(errors='replace')}")
    return errors.error_from_result(result)


def _rows(result: pq.abc.PGresult) -> Rows:
    columns = range(result.nfields)
    types = [result.ftype(column) for column in columns]
    return [
        tuple(_read(result.get_value(row, column), types[column]) for column in columns)
        for row in range(result.ntuples)
    ]


def _read(value: bytes | None, kind: int) -> Any:  # noqa: ANN401 - whatever a column holds
    if value is None:
        return None
    if kind in _INTEGERS:
        return int(value)
    if kind in _TEXTS:
        return value.decode()
    if kind == _BOOLEAN:
        return value == b"t"
    raise errors.NotSupportedError(f"no column of the store has the type {kind}")


@lru_cache(maxsize=256)
def _numbered(statement: str) -> bytes:
    """A statement as PostgreSQL has it: ``$1``, ``$2`` and so on for its values."""
    first, *others = statement.split("?")
    return (first + "".join(f"${n}{text}" for n, text in enumerate(others, 1))).encode()


def _written(value: object) -> bytes | None:
    match value:
        case None | bytes():
            return value
        case int():
            return b"%d" % value
        case str():
            return _text(value)
        case list():
            return b"{%s}" % b",".join(map(_element, value))
    raise TypeError(f"{type(value).__name__} is no value of the store")


def _element(value: object) -> bytes:
    """One value of an array."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return b'"%s"' % _text(escaped)
    return b"NULL" if value is None else str(int(cast("int", value))).encode()


def _text(value: str) -> bytes:
    if "\0" in value:  # libpq would take what stands before it
        raise errors.DataError("PostgreSQL has no text with NUL in it")
    return value.encode()
