"""Which roll-ups there are, and which of them make up a range of days."""

import calendar
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

from entitlements_core.store.moments import from_micros

__all__ = [
    "DAILY",
    "DAY",
    "KINDS",
    "DaySpan",
    "Piece",
    "RollupKind",
    "cover",
    "day_of",
    "days_in",
    "kind_for",
    "name_of",
    "periods_of",
    "start_of",
    "year_of",
]

DAY: Final = 86_400_000_000
"""Microseconds."""
DaySpan = tuple[int, int]
"""Days since 1970: the first, and the one after the last."""

RollupKind = tuple[str, ...]
"""The dimensions that a roll-up is broken down by."""

DAILY: Final = (
    "token",
    "repository",
    "package",
    "version",
    "filename",
    "client",
    "user_agent",
    "day",
)
"""What is kept of each day: everything that a report can be broken down by."""
KINDS: Final[tuple[RollupKind, ...]] = (
    ("repository",),
    ("repository", "day"),
    ("repository", "package"),
    ("repository", "user_agent"),
    ("token", "repository"),
    ("repository", "package", "version", "filename"),
    ("token", "repository", "user_agent"),
    ("token", "repository", "client"),
    ("token", "repository", "package"),
    ("repository", "package", "day"),
    ("token", "repository", "package", "client"),
    ("token", "repository", "day"),
    ("token", "repository", "package", "version", "filename"),
)
"""What is kept of each part of a month, month and year, the fewest lines first.

Each report is added up from the first kind that has its dimensions. What is asked for seldom, such
as a user agent together with a version, is added up day by day.
"""

_PARTS: Final = (1, 9, 17, 25)
"""The days of a month with which its parts begin."""
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a range: a roll-up of `span`, or the downloads themselves."""

    span: DaySpan
    is_rolled: bool


def kind_for(dimensions: Collection[str]) -> RollupKind:
    """The kind with the fewest lines that has `dimensions`; `DAILY` where only days have."""
    return next((kind for kind in KINDS if set(dimensions) <= set(kind)), DAILY)


def name_of(kind: RollupKind) -> str:
    """What the store calls a kind."""
    return "daily" if kind == DAILY else ",".join(kind)


def day_of(moment: datetime) -> int:
    """The day of UTC in which an aware moment is."""
    return (moment.astimezone(UTC).date() - _EPOCH).days


def start_of(day: int) -> datetime:
    """The moment at which a day begins, aware, UTC; day 0 is 1970-01-01."""
    return from_micros(day * DAY)


def periods_of(year: DaySpan) -> Iterator[DaySpan]:
    """The parts of the months of a year, then its months, then itself."""
    starts = [date(_date(year[0]).year, month, 1) for month in range(1, 13)]
    for start in starts:
        bounds = [*(_number(start.replace(day=day)) for day in _PARTS), _number(_next_month(start))]
        yield from pairwise(bounds)
    yield from ((_number(start), _number(_next_month(start))) for start in starts)
    yield year


def year_of(day: int) -> DaySpan:
    """The year in which a day is."""
    year = _date(day).year
    return _number(date(year, 1, 1)), _number(date(year + 1, 1, 1))


def days_in(span: DaySpan) -> range:
    """The days of a span."""
    return range(*span)


def cover(span: DaySpan, longer: Container[DaySpan], unfit: Collection[int]) -> Iterator[Piece]:
    """Make up a range of days of as few pieces as possible, in their order.

    Args:
        span: the range; every day of it that is not `unfit` has a roll-up of its own, or had no
            download.
        longer: periods of `periods_of` that have one.
        unfit: days of which the downloads themselves have to be looked at; no roll-up with one of
            them is used.
    """
    first, past = span
    barred = sorted(unfit)
    while first < past:
        if first in unfit:
            end = first + 1
            while end < past and end in unfit:
                end += 1
            yield Piece((first, end), is_rolled=False)
            first = end
            continue
        found = (first, first + 1)
        for one in _beginning(first):
            if one[1] <= past and one in longer and not _holds(one, barred):
                found = one
                break
        yield Piece(found, is_rolled=True)
        first = found[1]


def _beginning(day: int) -> Iterator[DaySpan]:
    """The year, the month and the part of a month that begin with a day."""
    start = _date(day)
    if start.day == 1:
        if start.month == 1:
            yield year_of(day)
        yield day, _number(_next_month(start))
    if start.day in _PARTS[:-1]:
        yield day, day + _PARTS[1] - _PARTS[0]
    elif start.day == _PARTS[-1]:
        yield day, _number(_next_month(start))


def _holds(span: DaySpan, days: list[int]) -> bool:
    return any(span[0] <= day < span[1] for day in days)


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _next_month(day: date) -> date:
    return day.replace(day=1) + timedelta(days=calendar.monthrange(day.year, day.month)[1])
