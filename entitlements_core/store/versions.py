"""Which schema this code speaks, and a check of it that costs a server start almost nothing.

Neither Alembic (a second of imports) nor SQLAlchemy is needed to learn that all is well.
"""

import sqlite3
from contextlib import closing
from typing import Final

from entitlements_core.store.address import Address
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
    "require_current",
    "require_usable",
    "stored_revision",
]

KNOWN: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every revision of the schema, oldest first; a test compares it with the migrations."""
HEAD: Final = KNOWN[-1]

REVISION_QUESTION: Final = "SELECT version_num FROM alembic_version"
KEY_QUESTION: Final = "SELECT value FROM store_info WHERE name = 'key_fingerprint'"


def require_current(address: Address) -> None:
    """Return when the schema at `address` is the one of this code.

    Raises:
        DatabaseOlder: when it has to be upgraded, or was never made.
        DatabaseNewer: when a later version of this code made it.
        StoreError: when it is missing, locked, corrupt or out of reach.
    """
    judge(stored_revision(address), address)


def judge(revision: str | None, address: Address) -> None:
    """Compare a stored revision with `HEAD`; raises as `require_current` does."""
    if revision == HEAD:
        return
    if revision is None:
        raise DatabaseOlder(
            f"The database {address} is empty: it has no schema yet.",
            "Make it the store with `entitlements init`, or bring back a copy of one.",
        )
    if revision in KNOWN:
        raise DatabaseOlder(
            f"The database {address} has schema {revision}, not {HEAD}.",
            "Stop all servers, make a backup, and run `entitlements db upgrade`.",
        )
    raise DatabaseNewer(
        f"The database {address} has schema {revision}, which this version does not know.",
        f"Install the version that made it, or a later one; this one knows {HEAD}.",
    )


def require_usable(
    connection: sqlite3.Connection, address: Address, key_fingerprint: str | None
) -> None:
    """Return when the file of `connection` can take the place of a store that is in use.

    Args:
        connection: to the file.
        address: how to name it.
        key_fingerprint: of the key that it has to be made with; None asks for none.

    Raises:
        DatabaseReplaced: when it is no store, one of another schema, or one of another key.
    """
    try:
        revision = connection.execute(REVISION_QUESTION).fetchone()
        made_with = connection.execute(KEY_QUESTION).fetchone()
    except sqlite3.Error as error:
        raise _unfit(address, f"cannot be read as a store ({error})") from None
    if revision != (HEAD,):
        raise _unfit(address, "has another schema")
    if key_fingerprint is not None and made_with != (key_fingerprint,):
        raise _unfit(address, "was made with another key")


def _unfit(address: Address, why: str) -> DatabaseReplaced:
    return DatabaseReplaced(
        f"The database {address} was replaced by a file that {why}.",
        "Move it to another name, and bring a copy of this store back with `entitlements restore`.",
    )


def stored_revision(address: Address) -> str | None:
    """The schema's revision; None when it was never made.

    Raises:
        StoreError: when the database is missing, locked, corrupt or out of reach.
    """
    return _ask_sqlite(address) if address.is_sqlite else _ask_postgres(address)


def _ask_sqlite(address: Address) -> str | None:
    try:
        with closing(address.connect_sqlite()) as connection:
            row = connection.execute(REVISION_QUESTION).fetchone()
    except sqlite3.Error as error:
        _raise_unless_older(failure_of(error, str(address)))
        return None
    return None if row is None else str(row[0])


def _ask_postgres(address: Address) -> str | None:
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is used

    from entitlements_core.store import postgres  # noqa: PLC0415 - see above

    try:
        with closing(postgres.connect(address)) as connection:
            connection.bound(address.timeouts.answer or REQUESTS.answer)
            row = connection.execute(REVISION_QUESTION).fetchone()
    except psycopg.Error as error:
        _raise_unless_older(postgres.failure(error, address))
        return None
    return None if row is None else str(row[0])


def _raise_unless_older(failure: Exception) -> None:
    if not isinstance(failure, DatabaseOlder):
        raise failure from None
