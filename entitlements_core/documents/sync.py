"""Many tokens at once: those of another repository, and those whose user may read no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.token import token_document

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from entitlements_core.policy.token import Token
    from entitlements_core.services.sync_plan import SyncDifference

__all__ = ["cleanup_document", "sync_document"]


def sync_document(  # noqa: PLR0913 - what was asked, and what came of it
    found: SyncDifference, now: datetime, *, source: str, destination: str, mode: str, dry_run: bool
) -> dict[str, object]:
    """What a sync did, or would do; ``tokens`` are the destination's afterwards.

    Args:
        found: what is different.
        now: aware; for the counters and states in ``tokens``.
        source: ``owner/slug`` of the repository whose tokens they are.
        destination: ``owner/slug`` of the one that gets them.
        mode: ``replace`` or ``merge``.
        dry_run: nothing was done.
    """
    return {
        "source": source,
        "destination": destination,
        "mode": mode,
        "dry_run": dry_run,
        "added": [_brief(token) for token in found.added],
        "changed": [
            {"source": _brief(here), "destination": _brief(there)} for here, there in found.changed
        ],
        "kept": [_brief(token) for token in found.kept],
        "removed": [_brief(token) for token in found.removed],
        "tokens": [token_document(token, now, repository=destination) for token in found.tokens],
    }


def cleanup_document(
    tokens: Iterable[Token], now: datetime, *, repository: str, dry_run: bool
) -> dict[str, object]:
    """The users' tokens that were deleted, or would be.

    Args:
        tokens: of users that may read no more.
        now: aware; for their counters and states.
        repository: ``owner/slug`` whose restriction stands at the top level, or empty.
        dry_run: nothing was done.
    """
    return {
        "dry_run": dry_run,
        "tokens": [token_document(token, now, repository=repository) for token in tokens],
    }


def _brief(token: Token) -> dict[str, str]:
    return {"slug_perm": token.identifier, "name": token.name}
