"""A store whose place a copy takes: what of it must not be lost, and which changes are."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from entitlements_core.errors import StoreError
from entitlements_core.store import sqlite
from entitlements_core.store.copies import Copy
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.timeouts import WORK

__all__ = ["ChangesSince", "carry_over"]

MOST: Final = 20
"""At most so many tokens of each kind are named."""

_OWNERS: Final = """
    JOIN former.repositories r ON r.id = n.repository_id
    JOIN main.repositories o ON o.id = coalesce(
        (SELECT id FROM main.repositories WHERE owner = r.owner AND slug = r.slug),
        (SELECT min(id) FROM main.repositories WHERE owner = r.owner)
    )
"""
"""The same repository, or where the copy has none, another one of its owner: names are theirs."""
_NAMES: Final = f"""
    INSERT OR IGNORE INTO main.project_names (repository_id, name)
    SELECT o.id, n.name FROM former.project_names n {_OWNERS}
"""  # noqa: S608 - only constants are put together
_RESERVED: Final = f"""
    INSERT OR IGNORE INTO main.reserved_names (repository_id, text, is_prefix)
    SELECT o.id, n.text, n.is_prefix FROM former.reserved_names n {_OWNERS}
"""  # noqa: S608 - see above
_REPLACED: Final = """
    SELECT DISTINCT t.identifier FROM main.tokens t
    JOIN former.tokens f ON f.identifier = t.identifier
    JOIN main.secrets s ON s.token_id = t.id
    WHERE t.state = 'enabled' AND f.state = 'enabled'
      AND NOT EXISTS (SELECT 1 FROM former.secrets g WHERE g.digest = s.digest)
    ORDER BY t.identifier
"""
_CLOSED: Final = """
    SELECT t.identifier FROM main.tokens t JOIN former.tokens f ON f.identifier = t.identifier
    WHERE t.state = 'enabled' AND f.state <> 'enabled' ORDER BY t.identifier
"""
_GONE: Final = """
    SELECT f.identifier FROM former.tokens f
    WHERE f.state <> 'deleted'
      AND NOT EXISTS (SELECT 1 FROM main.tokens t WHERE t.identifier = f.identifier)
    ORDER BY f.identifier
"""


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """Tokens that were changed after a copy was made; `MOST` identifiers of each kind.

    Attributes:
        replaced: whose secret of then opens again, and whose present one opens nothing.
        closed: disabled or deleted since, and in force again.
        gone: made since.
    """

    replaced: tuple[str, ...]
    closed: tuple[str, ...]
    gone: tuple[str, ...]


def carry_over(copy: Copy, url: DatabaseURL) -> ChangesSince | None:
    """Copy the vendor's names out of the store that is replaced; tell which later changes are lost.

    A name that was the vendor's stays so: clients are never sent elsewhere for it.

    Args:
        copy: of this version's schema, that nobody has open.
        url: of the store that it takes the place of, which may be in use.

    Returns:
        None when that one is not there, cannot be read or has another schema; nothing is taken over
        then.
    """
    place = f"file:{quote(os.fsencode(url.path.absolute()))}?mode=ro"
    try:
        # Opened as a store first, which refuses a file beside which another one's log lies.
        url.connect_sqlite().close()
        with closing(
            sqlite.connect(copy.path, sqlite3.Connection, timeout=WORK.lock)
        ) as connection:
            connection.execute("ATTACH DATABASE ? AS former", (place,))
            connection.execute("BEGIN")
            for statement in (_NAMES, _RESERVED):
                connection.execute(statement)
            found = [
                tuple(row[0] for row in connection.execute(question).fetchmany(MOST))
                for question in (_REPLACED, _CLOSED, _GONE)
            ]
            connection.execute("COMMIT")
    except (sqlite3.Error, StoreError):
        return None
    return ChangesSince(*found)
