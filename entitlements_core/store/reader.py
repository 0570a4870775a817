"""The one look-up of the request path: from a secret's digest to the credential it opens.

One statement, read on every request, so that no change is ever missed. The credential is built by
a pure function of the row and remembered by the row itself: a changed row is another key.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from entitlements_core.errors import StoreError
from entitlements_core.policy.credential import (
    Access,
    Credential,
    CredentialKind,
    Eula,
    Grant,
    State,
)
from entitlements_core.policy.limits import BandwidthUnit, Limits
from entitlements_core.policy.network import Networks
from entitlements_core.policy.query import PackageQuery
from entitlements_core.store.connections import ConnectionStack, is_sqlite, open_stack
from entitlements_core.store.types import from_micros, to_micros

__all__ = ["CredentialReader", "Parse"]

Parse = Callable[[str], PackageQuery]

_COLUMNS: Final = """
    t.id, t.identifier, t.name, t.kind, t.state, t."user",
    t.limit_num_downloads, t.limit_num_clients, t.limit_bandwidth, t.limit_bandwidth_unit,
    t.limit_date_range_from, t.limit_date_range_to, t.updates_until,
    CAST(t.allow_networks AS TEXT), CAST(t.deny_networks AS TEXT),
    g.access, g.limit_package_query, r.owner, r.slug, r.contact,
    CASE WHEN t.eula_required AND r.enforce_eula THEN COALESCE((
        SELECT CASE WHEN a.eula_id IS NULL THEN e.identifier ELSE '' END
        FROM eulas e LEFT JOIN eula_acceptances a ON a.eula_id = e.id AND a.token_id = t.id
        WHERE e.repository_id = r.id ORDER BY e.number DESC LIMIT 1
    ), 'none') END
"""
# The last column is NULL when no licence is needed and empty when the one in force is accepted.
# Otherwise it names what must be accepted; a licence without a text cannot be, and opens nothing.

_JOINS: Final = """
    JOIN tokens t ON t.id = s.token_id
    JOIN grants g ON g.token_id = s.token_id AND g.repository_id = s.repository_id
"""

_BY_SECRET: Final = f"""
    SELECT s.valid_until, {_COLUMNS}
    FROM repositories r
    JOIN secrets s ON s.repository_id = r.id AND s.digest = ?
    {_JOINS}
    WHERE r.owner = ? AND r.slug = ?
"""  # noqa: S608 - only constants are put together
_BY_SECRET_ALONE: Final = f"""
    SELECT s.valid_until, {_COLUMNS}
    FROM secrets s
    JOIN repositories r ON r.id = s.repository_id
    {_JOINS}
    WHERE s.digest = ?
"""  # noqa: S608 - only constants are put together
_BY_IDENTIFIER: Final = f"""
    SELECT NULL, {_COLUMNS}
    FROM tokens t
    JOIN grants g ON g.token_id = t.id
    JOIN repositories r ON r.id = g.repository_id
    WHERE t.identifier = ? AND r.owner = ? AND r.slug = ?
"""  # noqa: S608 - only constants are put together

_DOWNLOADS: Final = """
    SELECT d.filename, count(*) FROM downloads d
    WHERE d.repository_id = (SELECT id FROM repositories WHERE owner = ? AND slug = ?)
    GROUP BY d.filename
"""


class CredentialReader:
    """Finds credentials in the store at an SQLAlchemy URL.

    Args:
        url: of the store.
        parse: reads a restriction; the default knows only the fields that need no plugin.
        eula_url: where a licence revision is accepted, with ``{identifier}`` in it, or empty.
    """

    def __init__(self, url: str, *, parse: Parse = PackageQuery.parse, eula_url: str = "") -> None:
        self._stack: ConnectionStack = open_stack(url)
        self._qmark = is_sqlite(url)
        # Many tokens share one restriction, so the two are remembered apart.
        parsed = lru_cache(maxsize=4096)(parse)
        self._build: Callable[..., Credential] = lru_cache(maxsize=16_384)(
            lambda *row: _credential(row, parsed, eula_url)
        )

    def find(self, digest: bytes, repository: str, now: datetime) -> Credential | None:
        """The credential that a secret opens in `repository` (``owner/slug``), or None.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        rows = self._read(_BY_SECRET, (digest, owner, slug))
        return self._first(rows, to_micros(now))

    def find_anywhere(self, digest: bytes, now: datetime) -> tuple[Credential, ...]:
        """The credentials that a secret opens, one for each repository it is granted in.

        Raises:
            StoreError: when the store cannot be read.
        """
        moment = to_micros(now)
        rows = self._read(_BY_SECRET_ALONE, (digest,))
        return tuple(found for row in rows if (found := self._first([row], moment)) is not None)

    def by_identifier(self, identifier: str, repository: str) -> Credential | None:
        """The credential of a token's public name in `repository`, or None; whatever its state.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        return self._first(self._read(_BY_IDENTIFIER, (identifier, owner, slug)), 0)

    def downloads(self, repository: str) -> dict[str, int]:
        """How often each file of `repository` was downloaded, by file name; 0 is left out.

        Raises:
            StoreError: when the store cannot be read.
        """
        owner, _, slug = repository.partition("/")
        return dict(self._read(_DOWNLOADS, (owner, slug)))

    def close(self) -> None:
        """Close the idle connections."""
        self._stack.close()

    def _first(self, rows: list[tuple[Any, ...]], moment: int) -> Credential | None:
        for valid_until, *row in rows:
            if valid_until is None or moment < valid_until:
                return self._build(*row)
        return None

    def _read(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        if not self._qmark:
            statement = statement.replace("?", "%s")
        connection = self._stack.take()
        try:
            rows: list[tuple[Any, ...]] = connection.execute(statement, values).fetchall()
        except Exception as error:
            # Whatever the driver raises: a store that cannot be read opens nothing.
            connection.close()
            raise StoreError(f"The store cannot be read: {error}.") from error
        self._stack.give_back(connection)
        return rows


def _credential(row: tuple[Any, ...], parsed: Parse, eula_url: str) -> Credential:
    (
        number,
        identifier,
        name,
        kind,
        state,
        user,
        downloads,
        clients,
        bandwidth,
        unit,
        valid_from,
        valid_until,
        updates_until,
        allow,
        deny,
        access,
        query,
        owner,
        slug,
        contact,
        eula,
    ) = row  # fmt: skip - one line per group of columns above
    grant = Grant(
        repository=f"{owner}/{slug}",
        access=Access(access),
        restriction=None if query is None else parsed(query),
    )
    return Credential(
        id=number,
        identifier=identifier,
        name=name,
        kind=CredentialKind(kind),
        state=State(state),
        grants=(grant,),
        limits=Limits(
            downloads=downloads,
            clients=clients,
            bandwidth=None if bandwidth is None else bandwidth * BandwidthUnit(unit).bytes,
        ),
        valid_from=_moment(valid_from),
        valid_until=_moment(valid_until),
        updates_until=_moment(updates_until),
        networks=Networks.parse(json.loads(allow), json.loads(deny)),
        eula=Eula(
            required=eula is not None,
            accepted=eula == "",
            url=eula_url.format(identifier=eula) if eula and eula_url else "",
        ),
        user=user,
        contact=contact,
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
