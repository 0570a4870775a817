"""What was used: lines of a report, clients of a token, the sums of days, what was pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.documents.values import instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from entitlements_core.services.reports import ClientRecord, UsageLine
    from entitlements_core.services.retention import Pruned
    from entitlements_core.services.rollups import RollupReport

__all__ = ["client_document", "pruned_document", "rollups_document", "usage_document"]


def usage_document(
    by: Sequence[str], line: UsageLine, names: Mapping[str, str]
) -> dict[str, object]:
    """One line of a report.

    Args:
        by: what the report is split by, in order; each is a key of the document.
        line: with one value for each of them.
        names: of tokens by their identifiers, for a report that is split by ``token``; else empty.
    """
    document: dict[str, object] = dict(zip(by, line.keys, strict=True))
    if names:
        document["name"] = names[str(document["token"])]
    return document | {
        "downloads": line.downloads,
        "requests": line.requests,
        "clients": line.clients,
        "bandwidth": line.bandwidth,
        "last_at": instant(line.last_at),
    }


def client_document(client: ClientRecord) -> dict[str, object]:
    """A client's address that ever used a token, and whether it counts in this period."""
    return {
        "client": client.client,
        "first_seen_at": instant(client.first_seen_at),
        "last_seen_at": instant(client.last_seen_at),
        "counts": client.counts,
    }


def rollups_document(
    found: RollupReport, *, summed_up: int, problems: Sequence[str]
) -> dict[str, object]:
    """How far downloads are summed up by days.

    Args:
        found: how far.
        summed_up: days that were summed up just now.
        problems: where sums and downloads differ.
    """
    return {
        "ok": not problems,
        "problems": list(problems),
        "summed_up": summed_up,
        "days": found.days,
        "stale": found.stale,
        "closed_until": instant(found.closed_until),
        "frozen_until": instant(found.frozen_until),
    }


def pruned_document(found: Pruned, *, dry_run: bool) -> dict[str, object]:
    """Downloads of long ago that were removed, or would be."""
    return {
        "dry_run": dry_run,
        "before": instant(found.before),
        "removed": 0 if dry_run else found.removed,
        "found": found.removed,
        "export": None if found.export is None else str(found.export),
    }
