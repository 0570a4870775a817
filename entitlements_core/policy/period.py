"""When statistics reset: calendar periods counted from an anchor, in UTC.

The k-th reset is ``anchor + k periods``, computed from the anchor each time, so a token anchored on
the 31st resets on the last day of a short month and on the 31st again after it. Chained additions
would drift to the 28th, and recurrence rules would skip the short months.
"""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from dateutil.relativedelta import relativedelta

from entitlements_core.errors import InvalidValue

__all__ = ["ResetPeriod", "next_reset", "period_start"]


class ResetPeriod(StrEnum):
    """Cloudsmith's reset periods. Bi-Monthly is every two months."""

    NEVER = "Never Reset"
    DAILY = "Daily"
    WEEKLY = "Weekly"
    FORTNIGHTLY = "Fortnightly"
    MONTHLY = "Monthly"
    BI_MONTHLY = "Bi-Monthly"
    QUARTERLY = "Quarterly"
    EVERY_6_MONTHS = "Every 6 months"
    ANNUAL = "Annual"

    @classmethod
    def parse(cls, text: str) -> "ResetPeriod":
        """The period that `text` names, in any case; ``Never`` is short for ``Never Reset``.

        Raises:
            InvalidValue: when it is no period.
        """
        wanted = text.strip().casefold()
        for period in cls:
            if wanted == period.value.casefold():
                return period
        if wanted == "never":
            return cls.NEVER
        raise InvalidValue(
            "scheduled_reset_period",
            f"{text!r} is not a reset period.",
            f"Use one of {', '.join(cls)}.",
        )


_DAYS: Final = {ResetPeriod.DAILY: 1, ResetPeriod.WEEKLY: 7, ResetPeriod.FORTNIGHTLY: 14}
_MONTHS: Final = {
    ResetPeriod.MONTHLY: 1,
    ResetPeriod.BI_MONTHLY: 2,
    ResetPeriod.QUARTERLY: 3,
    ResetPeriod.EVERY_6_MONTHS: 6,
    ResetPeriod.ANNUAL: 12,
}


def period_start(period: ResetPeriod, anchor: datetime, now: datetime) -> datetime | None:
    """The last reset at or before `now`; None when there is none (yet).

    Args:
        period: how often.
        anchor: aware, UTC; the moment of the first reset, from which all others are counted.
        now: aware, UTC.
    """
    index = _resets_before(period, anchor, now)
    return None if index is None else _reset_at(period, anchor, index)


def next_reset(period: ResetPeriod, anchor: datetime, now: datetime) -> datetime | None:
    """The first reset strictly after `now`; None when the period is Never Reset.

    None, too, when it would lie beyond the year 9999.
    """
    if period is ResetPeriod.NEVER:
        return None
    index = _resets_before(period, anchor, now)
    try:
        return _reset_at(period, anchor, 0 if index is None else index + 1)
    except (OverflowError, ValueError):
        return None


def _resets_before(period: ResetPeriod, anchor: datetime, now: datetime) -> int | None:
    """The k of the last ``anchor + k periods`` at or before `now`."""
    if period is ResetPeriod.NEVER or now < anchor:
        return None
    if days := _DAYS.get(period):
        return (now - anchor).days // days
    months = _MONTHS[period]
    index = ((now.year - anchor.year) * 12 + now.month - anchor.month) // months
    # The months alone may point at a reset later in this month than now.
    return index if _reset_at(period, anchor, index) <= now else index - 1


@lru_cache(maxsize=16_384)
def _reset_at(period: ResetPeriod, anchor: datetime, index: int) -> datetime:
    if days := _DAYS.get(period):
        return anchor + relativedelta(days=days * index)
    return anchor + relativedelta(months=_MONTHS[period] * index)
