"""The only place that looks at a clock."""

from datetime import UTC, datetime

__all__ = ["now"]


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place
