"""The audit: what was changed, by whom and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.values import instant

if TYPE_CHECKING:
    from entitlements_core.services.reports import AuditEntry

__all__ = ["audit_document"]


def audit_document(entry: AuditEntry) -> dict[str, object]:
    """One change. Names and values in `before` and `after` are those of the audit, not ours."""
    return {
        "id": entry.id,
        "at": instant(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "repository": entry.repository or None,
        "token": entry.token or None,
        "before": dict(entry.before),
        "after": dict(entry.after),
    }
