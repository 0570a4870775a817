"""Dates of a query: days, instants with a zone, and dates relative to now."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from dateutil.relativedelta import relativedelta

from entitlements_core.policy.query.syntax import (
    And,
    Comparison,
    DateRange,
    Node,
    Not,
    Or,
    RelativeDate,
    Term,
    terms,
)
from entitlements_core.policy.query.tokenizer import Excerpt

__all__ = ["bind", "moves_with_time", "read_date", "resolve"]

MAX_YEARS: Final = 100
"""How far a relative date may be from now."""

_UNITS_A_YEAR: Final = {
    "seconds": 31_622_400,
    "minutes": 527_040,
    "hours": 8_784,
    "days": 366,
    "weeks": 53,
    "months": 12,
    "years": 1,
}
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH_NUMBERS: Final = {
    spelling: number
    for number, month in enumerate(_MONTHS, start=1)
    for spelling in (month, month[:3], str(number), f"{number:02}")
}
_ZONES: Final = {
    "Z": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
}  # fmt: skip
"""Hours from UTC of the zone names of RFC 5322, section 4.3; other names have several meanings."""

_ZONE: Final = r"(?: ?(?P<zone>[A-Za-z]+|[+-][0-9]{2}:?[0-9]{2}))?"
_DAYS: Final = tuple(
    re.compile(form + _ZONE)
    for form in (
        r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})",
        r"(?P<month>[A-Za-z]+) (?P<day>[0-9]{1,2}),? (?P<year>[0-9]{4})",
        r"(?P<day>[0-9]{1,2}) (?P<month>[A-Za-z]+),? (?P<year>[0-9]{4})",
    )
)
_SLASHES: Final = re.compile(r"(?P<first>[0-9]{1,2})/(?P<second>[0-9]{1,2})/(?P<year>[0-9]{4})")
_INSTANT: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"(?P<time>[0-9]{2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?P<fraction>\.[0-9]{1,6})?)?)" + _ZONE
)
_RELATIVE: Final = re.compile(
    r"(?:(?P<future>in) )?(?P<amount>an?|[0-9]+) ?"
    r"(?P<unit>second|minute|hour|day|week|month|year)s?(?P<past> ago)?",
    re.IGNORECASE | re.ASCII,
)
_NAMED: Final = {
    "now": RelativeDate(0, "days"),
    "today": RelativeDate(0, "days", whole_day=True),
    "yesterday": RelativeDate(-1, "days", whole_day=True),
    "tomorrow": RelativeDate(1, "days", whole_day=True),
}
_EXAMPLES: Final = "2024-10-31, 2024-10-31T09:00Z, 'August 14, 2019' or '1 month ago'"


def read_date(
    value: Excerpt, comparison: Comparison
) -> tuple[Comparison, DateRange | RelativeDate]:
    """A date and how it is compared.

    A relative date without operator means *before it*, as at Cloudsmith: ``uploaded:'1 day ago'``
    is older than a day. Any other date without operator means *within it*.

    Raises:
        QuerySyntaxError: not a date, ambiguous, without a zone where one is needed, or too far.
    """
    text = " ".join(value.text.split())
    relative = _NAMED.get(text.lower()) or _read_relative(value, text)
    if relative is not None:
        older = comparison is Comparison.EQ and not relative.whole_day
        return (Comparison.LT if older else comparison), relative
    absolute = (
        _read_day(value, text)
        or _read_slashes(value, text)
        or _read_instant(value, text, comparison)
    )
    if absolute is None:
        raise value.error(f"{text} is not a date; expected {_EXAMPLES}.")
    return comparison, absolute


def _read_relative(value: Excerpt, text: str) -> RelativeDate | None:
    found = _RELATIVE.fullmatch(text)
    # Exactly one of "in ..." and "... ago".
    if found is None or (found["future"] is None) == (found["past"] is None):
        return None
    unit = found["unit"].lower() + "s"
    amount = int(found["amount"]) if found["amount"].isdigit() else 1
    if amount > MAX_YEARS * _UNITS_A_YEAR[unit]:
        raise value.error(f"A relative date reaches at most {MAX_YEARS} years from now.")
    return RelativeDate(amount if found["future"] else -amount, unit)


def _read_day(value: Excerpt, text: str) -> DateRange | None:
    found = next(filter(None, (form.fullmatch(text) for form in _DAYS)), None)
    month = _MONTH_NUMBERS.get(found["month"].lower()) if found else None
    if found is None or month is None:
        return None
    day = f"{int(found['year']):04}-{month:02}-{int(found['day']):02}"
    return _range(value, day, found["zone"] or "UTC", timedelta(days=1))


def _read_slashes(value: Excerpt, text: str) -> DateRange | None:
    found = _SLASHES.fullmatch(text)
    if found is None:
        return None
    low, high = sorted((int(found["first"]), int(found["second"])))
    if 0 < low < high <= len(_MONTHS):
        year = found["year"]
        raise value.error(
            f"{text} is ambiguous; write {year}-{low:02}-{high:02} or {year}-{high:02}-{low:02}."
        )
    return _range(value, f"{found['year']}-{low:02}-{high:02}", "UTC", timedelta(days=1))


def _read_instant(value: Excerpt, text: str, comparison: Comparison) -> DateRange | None:
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    if found["zone"] is None:
        raise value.error(f"Expected a zone after {text}, such as {found['day']}T{found['time']}Z.")
    precise = comparison is not Comparison.EQ or found["fraction"]
    coarse = timedelta(seconds=1) if found["seconds"] else timedelta(minutes=1)
    length = timedelta(microseconds=1) if precise else coarse
    return _range(value, f"{found['day']}T{found['time']}", found["zone"], length)


def _range(value: Excerpt, start: str, zone: str, length: timedelta) -> DateRange:
    tzinfo = _zone(value, zone)
    try:
        begin = datetime.fromisoformat(start).replace(tzinfo=tzinfo).astimezone(UTC)
        return DateRange(begin, begin + length)
    except (ValueError, OverflowError):
        raise value.error(f"There is no date {start} in the calendar.") from None


def _zone(value: Excerpt, zone: str) -> timezone:
    hours = _ZONES.get(zone.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    try:
        return timezone(datetime.strptime(zone, "%z").utcoffset() or timedelta())
    except ValueError:
        raise value.error(
            f"The zone {zone} is not known; write an offset such as +01:00, or one of "
            f"{', '.join(_ZONES)}."
        ) from None


def resolve(date: RelativeDate, now: datetime) -> DateRange:
    """The instant, or the UTC day, that a relative date means; `now` is aware, UTC."""
    moment = now + relativedelta(**{date.unit: date.amount})  # type: ignore[arg-type]  # a unit is one of its keywords
    if date.whole_day:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return DateRange(midnight, midnight + timedelta(days=1))
    return DateRange(moment, moment + timedelta(microseconds=1))


def moves_with_time(node: Node) -> bool:
    """Whether a relative date stands in the tree."""
    return any(isinstance(term.value, RelativeDate) for term, _ in terms(node))


def bind(node: Node, now: datetime) -> Node:
    """The tree with every relative date resolved; `now` is aware, UTC."""
    match node:
        case Term(value=RelativeDate() as date):
            return replace(node, value=resolve(date, now))
        case Term():
            return node
        case Not():
            return replace(node, operand=bind(node.operand, now))
        case And():
            return And(tuple(bind(operand, now) for operand in node.operands))
        case _:
            return Or(tuple(bind(operand, now) for operand in node.operands))
