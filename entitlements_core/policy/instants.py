"""Moments as text."""

from datetime import UTC, datetime

__all__ = ["instant"]


def instant(moment: datetime) -> str:
    """An aware moment as ISO 8601 in UTC, with ``Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
