"""Rows of tokens become values, however many at once, in a fixed number of statements."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from entitlements_core.policy.credential import Access, CredentialKind, State
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.token import EulaStatus, Token, TokenGrant
from entitlements_core.store.models import (
    EulaAcceptanceRow,
    EulaRow,
    GrantRow,
    RepositoryRow,
    TagRow,
    TokenRow,
    UsageRow,
)

__all__ = ["PLAIN_TERMS", "load"]


PLAIN_TERMS: Final = (
    "name",
    "owner",
    "limit_num_downloads",
    "limit_num_clients",
    "limit_bandwidth",
    "limit_bandwidth_unit",
    "limit_date_range_from",
    "limit_date_range_to",
    "scheduled_reset_period",
    "updates_until",
    "eula_required",
    "access_private_broadcasts",
)
"""The terms that a row keeps as they are, under their own name."""

_CHUNK: Final = 500
"""A statement can hold only so many parameters."""

_HISTORY: Final = (
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "deleted_at",
    "deleted_by",
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What belongs to the tokens, by the token's number."""

    grants: defaultdict[int, list[TokenGrant]] = field(default_factory=lambda: defaultdict(list))
    tags: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    usage: dict[int, tuple[Usage, datetime | None]] = field(default_factory=dict)


def load(session: Session, rows: Sequence[TokenRow]) -> tuple[Token, ...]:
    """The tokens of `rows`, in their order."""
    chunks = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
    return tuple(token for chunk in chunks for token in _load(session, chunk))


def _load(session: Session, rows: Sequence[TokenRow]) -> tuple[Token, ...]:
    parts = _Parts()
    numbers = [row.id or 0 for row in rows]
    eulas = _eulas(session, numbers)
    _read_grants(session, numbers, eulas, parts)
    tags = select(TagRow).where(col(TagRow.token_id).in_(numbers)).order_by(col(TagRow.tag))
    for tag in session.exec(tags):
        parts.tags[tag.token_id].append(tag.tag)
    for row in session.exec(select(UsageRow).where(col(UsageRow.token_id).in_(numbers))):
        usage = Usage(
            since=row.since,
            downloads=row.downloads,
            clients=row.clients,
            bandwidth=row.bandwidth,
        )
        parts.usage[row.token_id] = usage, row.last_used_at
    return tuple(_token(row, parts) for row in rows)


def _eulas(session: Session, numbers: Sequence[int]) -> dict[tuple[int, int], EulaStatus]:
    """For each token and repository with a licence text, where the token stands with it."""
    latest = (
        select(EulaRow.repository_id, func.max(EulaRow.number).label("number"))
        .group_by(col(EulaRow.repository_id))
        .subquery()
    )
    query = (
        select(GrantRow.token_id, GrantRow.repository_id, EulaRow.number, EulaAcceptanceRow)
        .join(latest, latest.c.repository_id == GrantRow.repository_id)
        .join(
            EulaRow,
            (col(EulaRow.repository_id) == latest.c.repository_id)
            & (col(EulaRow.number) == latest.c.number),
        )
        .outerjoin(
            EulaAcceptanceRow,
            (col(EulaAcceptanceRow.eula_id) == EulaRow.id)
            & (col(EulaAcceptanceRow.token_id) == GrantRow.token_id),
        )
        .where(col(GrantRow.token_id).in_(numbers))
    )
    return {
        (token, repository): _eula(number, acceptance)
        for token, repository, number, acceptance in session.exec(query)
    }


def _eula(number: int, acceptance: EulaAcceptanceRow | None) -> EulaStatus:
    if acceptance is None:
        return EulaStatus(number=number)
    return EulaStatus(
        number=number,
        accepted=True,
        accepted_at=acceptance.accepted_at,
        accepted_from=acceptance.accepted_from,
    )


def _read_grants(
    session: Session,
    numbers: Sequence[int],
    eulas: dict[tuple[int, int], EulaStatus],
    parts: _Parts,
) -> None:
    query = (
        select(GrantRow, RepositoryRow)
        .join(RepositoryRow, col(RepositoryRow.id) == GrantRow.repository_id)
        .where(col(GrantRow.token_id).in_(numbers))
        .order_by(col(RepositoryRow.owner), col(RepositoryRow.slug))
    )
    for grant, repository in session.exec(query):
        parts.grants[grant.token_id].append(
            TokenGrant(
                repository=f"{repository.owner}/{repository.slug}",
                access=Access(grant.access),
                limit_package_query=grant.limit_package_query,
                is_default=grant.is_default,
                mark=grant.mark,
                bases=frozenset(grant.bases.items()),
                eula=eulas.get((grant.token_id, grant.repository_id), EulaStatus()),
                contact=repository.contact,
            )
        )


def _token(row: TokenRow, parts: _Parts) -> Token:
    number = row.id or 0
    usage, last_used_at = parts.usage[number]
    return Token(
        identifier=row.identifier,
        kind=CredentialKind(row.kind),
        state=State(row.state),
        user=row.user,
        revision=row.revision,
        revealable=row.sealed_secret is not None,
        grants=tuple(parts.grants[number]),
        tags=tuple(parts.tags[number]),
        usage=usage,
        last_used_at=last_used_at,
        scheduled_reset_at=row.reset_anchor,
        allow_networks=tuple(row.allow_networks),
        deny_networks=tuple(row.deny_networks),
        metadata=row.token_metadata,
        **{name: getattr(row, name) for name in (*PLAIN_TERMS, *_HISTORY)},
    )
