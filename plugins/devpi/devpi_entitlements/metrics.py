"""Counters for ``/+status``, from which monitoring reads."""

from __future__ import annotations

from devpi_entitlements.site import Site

__all__ = ["metrics"]

Metric = tuple[str, str, float]
"""Name, ``counter`` or ``gauge``, value; as devpi-server wants it."""


def metrics(site: Site) -> list[Metric]:
    """What happened since this process started."""
    decision_counts = site.decision_counts
    return [
        ("entitlements_downloads_total", "counter", decision_counts.downloads),
        ("entitlements_sent_bytes_total", "counter", decision_counts.sent_bytes),
        ("entitlements_allowed_total", "counter", decision_counts.allowed),
        ("entitlements_refused_total", "counter", decision_counts.refused),
        ("entitlements_remembered_pages_total", "counter", site.pages.hits),
    ]
