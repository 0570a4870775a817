"""Which schema this code speaks, and a check of it that costs a server start almost nothing.

Neither Alembic (a second of imports) nor SQLAlchemy is needed to learn that all is well.
"""

import sqlite3
from contextlib import closing
from typing import Final

from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import (
    DatabaseNewer,
    DatabaseOlder,
    DatabaseReplaced,
    failure_of,
)
from entitlements_core.store.timeouts import REQUESTS

__all__ = [
    "HEAD",
    "KEY_QUESTION",
    "KNOWN",
    "REVISION_QUESTION",
    "judge",
    "newer",
    "require_current",
    "require_usable",
    "stored_revision",
]

KNOWN: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every revision of the schema, oldest first; a test compares it with the migrations."""
HEAD: Final = KNOWN[-1]

REVISION_QUESTION: Final = "SELECT version_num FROM alembic_version"
KEY_QUESTION: Final = "SELECT value FROM store_info WHERE name = 'key_fingerprint'"


def require_current(url: DatabaseURL) -> None:
    """Return when the schema at `url` is the one of this code.

    Raises:
        DatabaseOlder: when it has to be upgraded, or was never made.
        DatabaseNewer: when a later version of this code made it.
        StoreError: when it is missing, locked, corrupt or out of reach.
    """
    judge(stored_revision(url), url)


def judge(revision: str | None, url: DatabaseURL) -> None:
    """Compare a stored revision with `HEAD`; raises as `require_current` does."""
    if revision == HEAD:
        return
    if revision is None:
        raise DatabaseOlder(
            f"The database {url} is empty: it has no schema yet.",
            "Make it the store with `entitlements init`, or bring back a copy of one.",
        )
    if revision in KNOWN:
        raise DatabaseOlder(
            f"The database {url} has schema {revision}, not {HEAD}.",
            "Stop all servers, make a backup, and run `entitlements db upgrade`.",
        )
    raise newer(f"The database {url}", revision)


def newer(store: str, revision: str) -> DatabaseNewer:
    """The error of a store, named as a sentence begins, whose revision is not `KNOWN`."""
    return DatabaseNewer(
        f"{store} has schema {revision}, which this version does not know.",
        f"Install the version that made it, or a later one; this one knows {HEAD}.",
    )


def require_usable(
    connection: sqlite3.Connection, url: DatabaseURL, key_fingerprint: str | None
) -> None:
    """Return when the file of `connection` can take the place of a store that is in use.

    Args:
        connection: to the file.
        url: how to name it.
        key_fingerprint: of the key that it has to be made with; None asks for none.

    Raises:
        DatabaseReplaced: when it is no store, one of another schema, or one of another key.
    """
    try:
        revision = connection.execute(REVISION_QUESTION).fetchone()
        made_with = connection.execute(KEY_QUESTION).fetchone()
    except sqlite3.Error as error:
        raise _unfit(url, f"cannot be read as a store ({error})") from None
    if revision != (HEAD,):
        raise _unfit(url, "has another schema")
    if key_fingerprint is not None and made_with != (key_fingerprint,):
        raise _unfit(url, "was made with another key")


def _unfit(url: DatabaseURL, why: str) -> DatabaseReplaced:
    return DatabaseReplaced(
        f"The database {url} was replaced by a file that {why}.",
        "Move it to another name, and bring a copy of this store back with `entitlements restore`.",
    )


def stored_revision(url: DatabaseURL) -> str | None:
    """The schema's revision; None when it was never made.

    Raises:
        StoreError: when the database is missing, locked, corrupt or out of reach.
    """
    return _ask_sqlite(url) if url.is_sqlite else _ask_postgres(url)


def _ask_sqlite(url: DatabaseURL) -> str | None:
    try:
        with closing(url.connect_sqlite()) as connection:
            row = connection.execute(REVISION_QUESTION).fetchone()
    except sqlite3.Error as error:
        _raise_unless_older(failure_of(error, str(url)))
        return None
    return None if row is None else str(row[0])


def _ask_postgres(url: DatabaseURL) -> str | None:
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is used

    from entitlements_core.store import postgres  # noqa: PLC0415 - see above

    try:
        with closing(postgres.connect(url)) as connection:
            connection.bound(url.timeouts.answer or REQUESTS.answer)
            row = connection.execute(REVISION_QUESTION).fetchone()
    except psycopg.Error as error:
        _raise_unless_older(postgres.failure(error, url))
        return None
    return None if row is None else str(row[0])


def _raise_unless_older(failure: Exception) -> None:
    if not isinstance(failure, DatabaseOlder):
        raise failure from None
