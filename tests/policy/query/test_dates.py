"""Absolute and relative dates, and the interval each stands for."""

from datetime import UTC, datetime, timedelta

import pytest

from entitlements_core.errors import QuerySyntaxError
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.query.dates import resolve
from entitlements_core.policy.query.match import compile_tree
from entitlements_core.policy.query.syntax import Comparison, DateRange, RelativeDate, Term
from tests.policy.query.facts import NOW, wheel

DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def term(value: str) -> Term:
    tree = PackageQuery.parse(f'uploaded:"{value}"').tree
    assert isinstance(tree, Term)
    return tree


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("2024-10-31", "2024-10-31T00:00Z", DAY),
        ("2024-10-31Z", "2024-10-31T00:00Z", DAY),
        ("2024-10-31 EST", "2024-10-31T05:00Z", DAY),
        ("2024-10-31 +09:00", "2024-10-30T15:00Z", DAY),
        ("2024-10-31 -0130", "2024-10-31T01:30Z", DAY),
        ("August 14, 2019", "2019-08-14T00:00Z", DAY),
        ("august 14 2019", "2019-08-14T00:00Z", DAY),
        ("Aug 4, 2019", "2019-08-04T00:00Z", DAY),
        ("August 14, 2019 EST", "2019-08-14T05:00Z", DAY),
        ("14 August 2019", "2019-08-14T00:00Z", DAY),
        ("14 aug 2019 utc", "2019-08-14T00:00Z", DAY),
        ("  14   August  2019  ", "2019-08-14T00:00Z", DAY),
        ("10/10/2024", "2024-10-10T00:00Z", DAY),
        ("31/10/2024", "2024-10-31T00:00Z", DAY),
        ("10/31/2024", "2024-10-31T00:00Z", DAY),
        ("2024-10-31T09:00Z", "2024-10-31T09:00Z", timedelta(minutes=1)),
        ("2024-10-31 09:00 UTC", "2024-10-31T09:00Z", timedelta(minutes=1)),
        ("2024-10-31T09:00:30+02:00", "2024-10-31T07:00:30Z", timedelta(seconds=1)),
        ("2024-10-31T09:00:30.25Z", "2024-10-31T09:00:30.25Z", timedelta(microseconds=1)),
    ],
)
def test_absolute(text: str, start: str, length: timedelta) -> None:
    found = term(text)
    assert found.comparison is Comparison.EQ
    assert found.value == DateRange(at(start), at(start) + length)


def test_a_compared_instant_is_exact() -> None:
    start = at("2024-10-31T09:00Z")
    expected = DateRange(start, start + timedelta(microseconds=1))
    assert term(">2024-10-31T09:00Z").value == term("<= 2024-10-31T09:00:00Z").value == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", RelativeDate(0, "days")),
        ("Today", RelativeDate(0, "days", whole_day=True)),
        ("yesterday", RelativeDate(-1, "days", whole_day=True)),
        ("tomorrow", RelativeDate(1, "days", whole_day=True)),
        ("1 day ago", RelativeDate(-1, "days")),
        ("a day ago", RelativeDate(-1, "days")),
        ("an hour ago", RelativeDate(-1, "hours")),
        ("3 Weeks Ago", RelativeDate(-3, "weeks")),
        ("90 seconds ago", RelativeDate(-90, "seconds")),
        ("5 minutes ago", RelativeDate(-5, "minutes")),
        ("1 month ago", RelativeDate(-1, "months")),
        ("100 years ago", RelativeDate(-100, "years")),
        ("in 30 days", RelativeDate(30, "days")),
    ],
)
def test_relative(text: str, expected: RelativeDate) -> None:
    assert term(">" + text).value == expected


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        ("1 day ago", Comparison.LT),
        ("now", Comparison.LT),
        ("in 1 day", Comparison.LT),
        ("today", Comparison.EQ),
        (">=1 day ago", Comparison.GE),
    ],
)
def test_a_bare_relative_instant_means_before_it(text: str, comparison: Comparison) -> None:
    assert term(text).comparison is comparison


@pytest.mark.parametrize(
    ("date", "start"),
    [
        (RelativeDate(0, "days"), "2026-03-31T12:00Z"),
        (RelativeDate(-1, "months"), "2026-02-28T12:00Z"),
        (RelativeDate(-1, "years"), "2025-03-31T12:00Z"),
        (RelativeDate(-36, "hours"), "2026-03-30T00:00Z"),
        (RelativeDate(1, "weeks"), "2026-04-07T12:00Z"),
    ],
)
def test_resolve_an_instant(date: RelativeDate, start: str) -> None:
    assert resolve(date, NOW) == DateRange(at(start), at(start) + timedelta(microseconds=1))


def test_resolve_a_day() -> None:
    yesterday = RelativeDate(-1, "days", whole_day=True)
    assert resolve(yesterday, NOW) == DateRange(at("2026-03-30T00:00Z"), at("2026-03-31T00:00Z"))


@pytest.mark.parametrize(
    "text",
    [
        "in 3 days ago",
        "3 days",
        "-1 days ago",
        "1 fortnight ago",
        "Octember 1, 2024",
        "2024-10",
        "2024-13-01",
        "0000-01-01",
        "9999-12-31",
        "0001-01-01 +01:00",
        "2024-10-31T25:00Z",
        "2024-10-31T10:61Z",
        "2024-10-31 +99:00",
        "13/13/2024",
        "0/0/2024",
        "0/5/2024",
        "1 wee\N{KELVIN SIGN} ago",
        "1 \N{LATIN SMALL LETTER LONG S}econd ago",
        "1/2/2024",
        "36601 days ago",
        "99999999999999999999999 seconds ago",
        "\N{ARABIC-INDIC DIGIT ONE} day ago",
    ],
)
def test_no_date(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        term(text)


EARLY, START, NOON, LAST, END = (
    at("2024-10-30T23:59:59.999999Z"),
    at("2024-10-31T00:00Z"),
    at("2024-10-31T12:00Z"),
    at("2024-10-31T23:59:59.999999Z"),
    at("2024-11-01T00:00Z"),
)


@pytest.mark.parametrize(
    ("operator", "matching"),
    [
        ("", [START, NOON, LAST]),
        (">", [END]),
        (">=", [START, NOON, LAST, END]),
        ("<", [EARLY]),
        ("<=", [EARLY, START, NOON, LAST]),
    ],
)
def test_a_day_has_two_ends(operator: str, matching: list[datetime]) -> None:
    query = PackageQuery.parse(f"uploaded:{operator}2024-10-31")
    times = [EARLY, START, NOON, LAST, END]
    assert [t for t in times if query.matches(wheel(uploaded_at=t), NOW)] == matching


def test_an_unbound_date_cannot_be_compiled() -> None:
    with pytest.raises(TypeError, match="bound to now"):
        compile_tree(PackageQuery.parse("uploaded:today").tree)
