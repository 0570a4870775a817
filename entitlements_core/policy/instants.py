"""Moments as text."""

from datetime import UTC, datetime

__all__ = ["instant", "minute"]


def instant(moment: datetime) -> str:
    """An aware moment as ISO 8601 in UTC, with ``Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def minute(moment: datetime) -> str:
    """A moment in UTC as a sentence has it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
