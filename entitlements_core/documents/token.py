"""A token, with the names of Cloudsmith's ``RepositoryToken``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.values import MASK, instant, readable_bytes
from entitlements_core.policy.credential import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from entitlements_core.policy.token import EulaStatus, Token, TokenGrant
    from entitlements_core.store.records import FormerSecret

__all__ = ["token_document"]


def token_document(  # noqa: PLR0913 - the parts of one document
    token: Token,
    now: datetime,
    *,
    secret: str | None = None,
    repository: str = "",
    warnings: tuple[str, ...] = (),
    orphaned: Collection[str] = (),
    previous: Iterable[FormerSecret] | None = None,
) -> dict[str, object]:
    """A token as Cloudsmith's ``RepositoryToken``, and what it lacks.

    Args:
        token: the token.
        now: aware; counters and state are those of this moment.
        secret: in clear, or None to mask it.
        repository: the one whose restriction and licence stand at the top level.
        warnings: what whoever asked should know.
        orphaned: the repositories whose grant was made for another one of the same name.
        previous: secrets from before a refresh that go on for a while; None leaves the key out.
    """
    document: dict[str, object] = {
        "slug_perm": token.identifier,
        "name": token.name,
        "token": MASK if secret is None else secret,
        **_state(token, now),
        **_counters(token, now),
        **_limits(token, now),
        **_grants(token, repository, orphaned),
        "tags": list(token.tags),
        "metadata": dict(token.metadata),
        "owner": token.owner,
        **_history(token),
        "warnings": list(warnings),
    }
    if previous is not None:
        document["previous_secrets"] = [
            {"valid_until": instant(one.valid_until), "last_used_at": instant(one.last_used_at)}
            for one in previous
        ]
    return document


def _state(token: Token, now: datetime) -> Mapping[str, object]:
    return {
        "is_active": token.state is State.ENABLED,
        "status": token.status(now).value,
        "default": token.is_default,
        "user": token.user or None,
        "has_limits": token.has_limits,
        "is_limited": token.is_limited(now),
    }


def _counters(token: Token, now: datetime) -> Mapping[str, object]:
    usage = token.usage_at(now)
    return {
        "downloads": usage.downloads,
        "clients": usage.clients,
        "bandwidth": usage.bandwidth,
        "usage": readable_bytes(usage.bandwidth),
        "last_used_at": instant(token.last_used_at),
        "last_reset_at": instant(usage.since),
        "next_reset_at": instant(token.next_reset(now)),
    }


def _limits(token: Token, now: datetime) -> Mapping[str, object]:
    return {
        "limit_num_downloads": token.limit_num_downloads,
        "limit_num_clients": token.limit_num_clients,
        "limit_bandwidth": token.limit_bandwidth,
        "limit_bandwidth_unit": str(token.limit_bandwidth_unit),
        "limit_date_range_from": instant(token.limit_date_range_from),
        "limit_date_range_to": instant(token.limit_date_range_to),
        "limits_reached": list(token.used_up(now)),
        "scheduled_reset_period": str(token.scheduled_reset_period),
        "scheduled_reset_at": instant(token.scheduled_reset_at),
        "updates_until": instant(token.updates_until),
        "allow_networks": list(token.allow_networks),
        "deny_networks": list(token.deny_networks),
        "access_private_broadcasts": token.access_private_broadcasts,
    }


def _grants(token: Token, repository: str, orphaned: Collection[str]) -> Mapping[str, object]:
    alone = token.grants[0] if len(token.grants) == 1 else None
    here = token.grant_in(repository) or alone
    return {
        "limit_package_query": None if here is None else here.limit_package_query,
        "access": None if here is None else here.access.value,
        "repositories": [_grant(grant, orphaned) for grant in token.grants],
        "eula_required": token.eula_required,
        **_eula(here.eula if here is not None else None),
    }


def _grant(grant: TokenGrant, orphaned: Collection[str]) -> Mapping[str, object]:
    return {
        "repository": grant.repository,
        "access": grant.access.value,
        "limit_package_query": grant.limit_package_query,
        "bases": sorted(name for name, _ in grant.bases),
        "orphaned": grant.repository in orphaned,
    }


def _eula(eula: EulaStatus | None) -> Mapping[str, object]:
    accepted = eula is not None and eula.accepted
    return {
        "eula_accepted": {"number": eula.number} if eula is not None and accepted else None,
        "eula_accepted_at": None if eula is None else instant(eula.accepted_at),
        "eula_accepted_from": (eula.accepted_from or None) if eula is not None else None,
    }


def _history(token: Token) -> Mapping[str, object]:
    return {
        "created_at": instant(token.created_at),
        "created_by": token.created_by,
        "updated_at": instant(token.updated_at),
        "updated_by": token.updated_by or None,
        "deleted_at": instant(token.deleted_at),
        "deleted_by": token.deleted_by or None,
    }
