"""What can be wrong with a database, one class each, so that the command line can tell them apart.

Nothing here imports SQLAlchemy: the request path raises the same errors.
"""

import re
import sqlite3
from collections.abc import Collection
from typing import Final

from entitlements_core.errors import StoreError
from entitlements_core.terminal import escaped

__all__ = [
    "DatabaseCorrupt",
    "DatabaseFull",
    "DatabaseLocked",
    "DatabaseMissing",
    "DatabaseNewer",
    "DatabaseOlder",
    "DatabaseReadOnly",
    "DatabaseReplaced",
    "DatabaseUnreachable",
    "failure_of",
    "held",
    "unreachable",
]


class DatabaseLocked(StoreError):
    """Another process holds the database for longer than we wait."""

    code = "store_locked"


class DatabaseReadOnly(StoreError):
    """A change was asked of a database that may only be read."""

    code = "store_read_only"


class DatabaseMissing(StoreError):
    """There is no database where the settings point."""

    code = "store_missing"


class DatabaseReplaced(StoreError):
    """The path names another file than the one that was opened, and it cannot be taken for it."""

    code = "store_replaced"


class DatabaseCorrupt(StoreError):
    """The file is no database, or a damaged one."""

    code = "store_corrupt"


class DatabaseFull(StoreError):
    """The disk is full, or fails."""

    code = "store_full"


class DatabaseUnreachable(StoreError):
    """The database server does not answer, or does not let us in."""

    code = "store_unreachable"


class DatabaseOlder(StoreError):
    """The schema is older than this code, or not made yet."""

    code = "store_older"


class DatabaseNewer(StoreError):
    """The schema was made by a later version of this code."""

    code = "store_newer"


_PREFIX: Final = re.compile(
    r"(connection (failed|is bad)|(- host: .*?,)?.*?connection to server (at|on) .*? failed): "
)
_LONGEST: Final = 300
"""Characters of a reason."""
_SHORTEST: Final = 4
"""Characters; a shorter secret may be part of other words, and a mask in them would tell it."""

_LOCKED: Final = (
    "Stop the process that holds it, or try again; a backup should use `VACUUM INTO` or pg_dump."
)
_READ_ONLY: Final = "Give the server write permission on the database and on its directory."
_MISSING: Final = (
    "Check ENTITLEMENTS_HOME or --home, and ENTITLEMENTS_DATABASE_URL for a store elsewhere."
    " Bring back one that is lost with `entitlements restore FILE`; `entitlements init` makes a"
    " new, empty one."
)
_NOT_MADE: Final = "Make it with `createdb`, as a role that may, and run `entitlements init`."
_NOT_PRIMARY: Final = (
    "It is a standby, or set so. Name all servers in the address: the one that can be written to is"
    " used."
)
_NOT_PERMITTED: Final = "Let the role own the database's tables, or grant it the right to them."
_CORRUPT: Final = "Put a sound copy in its place with `entitlements restore FILE`."
_FULL: Final = "Free some space, and check the disk."
_OLDER: Final = "Run `entitlements db upgrade`."

_KINDS: Final[dict[str, tuple[type[StoreError], str, str]]] = {
    "SQLITE_BUSY": (DatabaseLocked, "is locked", _LOCKED),
    "SQLITE_LOCKED": (DatabaseLocked, "is locked", _LOCKED),
    "SQLITE_READONLY": (DatabaseReadOnly, "is read-only", _READ_ONLY),
    "SQLITE_PERM": (DatabaseReadOnly, "may not be opened", _READ_ONLY),
    "SQLITE_CANTOPEN": (DatabaseMissing, "cannot be opened", _MISSING),
    "SQLITE_CORRUPT": (DatabaseCorrupt, "is damaged", _CORRUPT),
    "SQLITE_NOTADB": (DatabaseCorrupt, "is no SQLite database", _CORRUPT),
    "SQLITE_FULL": (DatabaseFull, "cannot grow: the disk is full", _FULL),
    "SQLITE_IOERR": (DatabaseFull, "cannot be read or written", _FULL),
    # PostgreSQL, https://www.postgresql.org/docs/current/errcodes-appendix.html
    "55P03": (DatabaseLocked, "is locked", _LOCKED),
    "40P01": (DatabaseLocked, "is locked", _LOCKED),
    "40001": (DatabaseLocked, "changed meanwhile", _LOCKED),
    "25006": (DatabaseReadOnly, "is read-only", _NOT_PRIMARY),
    "42501": (DatabaseReadOnly, "does not permit this", _NOT_PERMITTED),
    "3D000": (DatabaseMissing, "does not exist", _NOT_MADE),
    "XX001": (DatabaseCorrupt, "is damaged", _CORRUPT),
    "XX002": (DatabaseCorrupt, "is damaged", _CORRUPT),
    "53100": (DatabaseFull, "cannot grow: the disk is full", _FULL),
    "42P01": (DatabaseOlder, "lacks a table", _OLDER),
    "42703": (DatabaseOlder, "lacks a column", _OLDER),
}


def failure_of(error: BaseException, database: str) -> StoreError:
    """The error to raise for a driver's `error`.

    Args:
        error: of sqlite3 or psycopg.
        database: how to name the database, without its password.
    """
    kind, found, remedy = _KINDS.get(_symptom(error), (StoreError, "", ""))
    if kind is StoreError:
        # A driver's text can quote values of the statement; its class says enough.
        return StoreError(f"The database {database} failed ({type(error).__name__}).")
    return kind(f"The database {database} {found}.", remedy)


def _symptom(error: BaseException) -> str:
    name = getattr(error, "sqlite_errorname", None)
    if name is not None:
        # An extended code such as SQLITE_READONLY_DBMOVED begins with its family.
        family = "_".join(str(name).split("_")[:2])
        return "42P01" if _lacks_schema(error) else family
    if isinstance(error, sqlite3.Error):
        return ""
    return str(getattr(error, "sqlstate", None) or _connection_symptom(error))


def _lacks_schema(error: BaseException) -> bool:
    return str(error).startswith(("no such table", "no such column"))


def _connection_symptom(error: BaseException) -> str:
    """A refused connection carries no code, only libpq's text."""
    return "3D000" if 'database "' in str(error) and "does not exist" in str(error) else ""


def held(database: str) -> DatabaseLocked:
    """The error where somebody else holds a lock, on a server that answers."""
    return DatabaseLocked(f"The database {database} is locked.", _LOCKED)


def unreachable(
    database: str, error: BaseException | None = None, secrets: Collection[str] = ()
) -> DatabaseUnreachable:
    """The error for a server that cannot be reached.

    Args:
        database: how to name it.
        error: says why.
        secrets: what must not be repeated of that.
    """
    said = "" if error is None else _said(error, secrets)
    return DatabaseUnreachable(
        f"The database server of {database} cannot be reached{said and f': {said}'}.",
        "Check its address and parameters, that it runs, and that the user may connect.",
    )


def _said(error: BaseException, secrets: Collection[str]) -> str:
    """The reason in one line; libpq gives one for each server."""
    lines = [_PREFIX.sub("", line).strip() for line in str(error).splitlines()]
    text = "; ".join(dict.fromkeys(line for line in lines if line and not line.endswith("?")))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) < _SHORTEST and secret in text:
            return ""  # what is left of the text would tell it
        text = text.replace(secret, "***")
    return escaped(text)[:_LONGEST].rstrip(". ")
