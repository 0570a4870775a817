"""Alembic, imported only when the schema is made, upgraded or checked."""

import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlmodel import SQLModel

from entitlements_core.store import models  # noqa: F401 - importing the tables registers them
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import failure_of
from entitlements_core.store.schema_revisions import HEAD, KNOWN, judge
from entitlements_core.store.store_file import missing

__all__ = ["differences", "upgrade"]

_POLL_SECONDS: Final = 0.02


def upgrade(url: DatabaseURL, writer: Engine) -> str | None:
    """Bring the schema at `url` to `HEAD` in one transaction.

    Of several processes that start at once, one works and the others wait for it, then find nothing
    left to do.

    Returns:
        The revision that was there: `HEAD` when nothing was left to do, None for no schema.

    Raises:
        DatabaseNewer: when the schema is unknown to this code.
        StoreError: when the file cannot be made or stays locked.
    """
    from alembic import command  # noqa: PLC0415 - a second of imports
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see above

    if url.is_sqlite:
        _prepare_sqlite(url)
    with writer.begin() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision == HEAD:
            return revision
        if revision is not None and revision not in KNOWN:
            judge(revision, url)
        command.upgrade(_config(connection), HEAD)
        return revision


def differences(engine: Engine) -> tuple[str, ...]:
    """How the tables differ from the models, and the damage that SQLite finds; empty is well."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - a second of imports
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see above

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = [str(change) for change in compare_metadata(context, SQLModel.metadata)]
        if connection.dialect.name == "sqlite":
            found += _damage(connection)
    return tuple(found)


def _config(connection: Connection) -> Any:  # noqa: ANN401 - Alembic is imported lazily
    from alembic.config import Config  # noqa: PLC0415 - a second of imports

    config = Config(attributes={"connection": connection})
    # A percent sign in a path would be interpolated.
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config


def _prepare_sqlite(url: DatabaseURL) -> None:
    """Make the file and switch it to write-ahead logging, which the file then remembers."""
    try:
        url.make_sqlite()
        _switch_to_wal(url)
    except sqlite3.Error as error:
        raise failure_of(error, str(url)) from None
    except OSError:
        raise missing(str(url)) from None


def _switch_to_wal(url: DatabaseURL) -> None:
    """The switch needs the file for itself and, unlike a transaction, does not wait for it."""
    deadline = time.monotonic() + url.timeouts.lock
    connection = url.connect_sqlite()
    try:
        # Counting touches a few bytes here and there, and every touched page is written: smaller
        # ones make a download cheaper. It takes effect in an empty file only.
        connection.execute("PRAGMA page_size = 2048")
        while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
    finally:
        connection.close()


def _damage(connection: Connection) -> list[str]:
    scan = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
    strays = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    found = [str(line) for line in scan if line != "ok"]
    return found + [f"{row[0]} row {row[1]} refers to a missing {row[2]} row" for row in strays]
