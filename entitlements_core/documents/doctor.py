"""What the doctor found, and what a wrong clock left in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.values import instant
from entitlements_core.policy.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from entitlements_core.policy.health import Finding
    from entitlements_core.services.clock_repair import FromTheFuture
    from entitlements_core.services.upstream_names import Registered

__all__ = ["clock_repair_document", "health_document"]


def health_document(
    findings: Sequence[Finding], upstream: Iterable[Registered] | None = None
) -> dict[str, object]:
    """Every check; ``ok`` is false when one of them is an error.

    Args:
        findings: of all checks, in the order in which they are shown.
        upstream: which names of the vendor's somebody has there; None where it was not asked.
    """
    document: dict[str, object] = {
        "ok": not any(one.health is Health.ERROR for one in findings),
        "checks": [
            {
                "check": one.check,
                "status": one.health.value,
                "detail": one.detail,
                "remedy": one.remedy,
            }
            for one in findings
        ],
    }
    if upstream is not None:
        document["upstream"] = [
            {
                "name": one.name,
                "exists": one.exists,
                "files": one.files,
                "newest": one.newest or None,
                "reason": one.why or None,
            }
            for one in upstream
        ]
    return document


def clock_repair_document(found: FromTheFuture, *, dry_run: bool) -> dict[str, object]:
    """What lies in the future, and was mended or would be."""
    return {
        "dry_run": dry_run,
        "now": instant(found.now),
        "resets": [
            {"token": one.token, "since": instant(one.since), "mended": instant(one.mended)}
            for one in found.resets
        ],
        "moments": found.moments,
        "downloads": found.downloads,
    }
