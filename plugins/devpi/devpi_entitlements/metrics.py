"""Counters for ``/+status``, from which monitoring reads."""

from __future__ import annotations

from devpi_entitlements.site import Site

__all__ = ["metrics"]

Metric = tuple[str, str, float]
"""Name, ``counter`` or ``gauge``, value; as devpi-server wants it."""


def metrics(site: Site) -> list[Metric]:
    """What happened since this process started."""
    tally = site.tally
    return [
        ("entitlements_downloads_total", "counter", tally.downloads),
        ("entitlements_sent_bytes_total", "counter", tally.sent_bytes),
        ("entitlements_allowed_total", "counter", tally.allowed),
        ("entitlements_refused_total", "counter", tally.refused),
        ("entitlements_remembered_pages_total", "counter", site.pages.hits),
    ]
