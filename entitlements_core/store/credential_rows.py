"""A token's row and its grant's as the credential that the request path works with."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

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
from entitlements_core.store.moments import from_micros

__all__ = ["CREDENTIAL", "Parse", "credential_of"]

Parse = Callable[[str], PackageQuery]
"""Reads a restriction as it was written."""

_COLUMNS: Final = """
    t.id, t.identifier, t.name, t.kind, t.state, t."user",
    t.limit_num_downloads, t.limit_num_clients, t.limit_bandwidth, t.limit_bandwidth_unit,
    t.limit_date_range_from, t.limit_date_range_to, t.updates_until,
    CAST(t.allow_networks AS TEXT), CAST(t.deny_networks AS TEXT),
    g.access, g.limit_package_query, g.mark, CAST(g.bases AS TEXT), r.owner, r.slug, r.contact,
    CASE WHEN t.eula_required AND r.enforce_eula THEN COALESCE((
        SELECT CASE WHEN a.eula_id IS NULL THEN e.identifier ELSE '' END
        FROM eulas e LEFT JOIN eula_acceptances a ON a.eula_id = e.id AND a.token_id = t.id
        WHERE e.repository_id = r.id ORDER BY e.number DESC LIMIT 1
    ), 'none') END
"""
# The last column is NULL when no licence is needed and empty when the one in force is accepted.
# Otherwise it names what must be accepted; a licence without a text cannot be, and opens nothing.

CREDENTIAL: Final = f"""
    SELECT {_COLUMNS} FROM tokens t
    JOIN grants g ON g.token_id = t.id
    JOIN repositories r ON r.id = g.repository_id
    WHERE t.id = ? AND r.id = ? AND t.revision = ? AND r.revision = ?
"""  # noqa: S608 - only constants are put together
"""For the numbers and revisions of a token and a repository: its row, unless one has changed."""


def credential_of(row: tuple[Any, ...], parse: Parse, eula_url: str) -> Credential:
    """The credential of a row that `CREDENTIAL` gave.

    Args:
        row: its columns.
        parse: reads the restriction.
        eula_url: where a licence is accepted, with ``{identifier}`` in it, or empty.

    Raises:
        ValueError: when a column holds what this version does not know.
    """
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
        mark,
        bases,
        owner,
        slug,
        contact,
        eula,
    ) = row
    grant = Grant(
        repository=f"{owner}/{slug}",
        access=Access(access),
        restriction=None if query is None else parse(query),
        mark=mark,
        bases=frozenset(json.loads(bases).items()),
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
