"""SQLAlchemy engines that treat SQLite and PostgreSQL alike: a writer is alone from its first word.

A transaction that reads first and writes later can fail on SQLite whatever the timeout, and can
overlook another one on PostgreSQL. So a writer begins with the lock: ``BEGIN IMMEDIATE`` there, one
advisory lock here. Administrative writes are rare, so one after the other is fast enough; the
request path's counting does not take this lock.
"""

from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from entitlements_core.store.database_url import DatabaseURL

__all__ = ["make_engine"]

WRITER_LOCK: Final = 0x656E7469
"""The advisory lock of administrative writers ("enti")."""


def make_engine(url: DatabaseURL) -> tuple[Engine, Engine]:
    """The engines for reading and for writing; they share their connections."""
    engine = _sqlite(url) if url.is_sqlite else _postgres(url)
    isolation = {} if url.is_sqlite else {"isolation_level": "REPEATABLE READ"}
    return engine.execution_options(**isolation), engine.execution_options(writer=True)


def _sqlite(url: DatabaseURL) -> Engine:
    engine = create_engine(
        "sqlite://", creator=url.connect_sqlite, poolclass=QueuePool, hide_parameters=True
    )
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("writer")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _postgres(url: DatabaseURL) -> Engine:
    from entitlements_core.store import postgres  # noqa: PLC0415 - an optional extra

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: postgres.connect(url, in_blocks=True),
        pool_pre_ping=True,
        hide_parameters=True,
    )
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _begin_postgres(connection: Connection) -> None:
    options: Any = connection.get_execution_options()
    if options.get("writer"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
