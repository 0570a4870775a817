"""Reset periods: calendar arithmetic from an anchor, month ends kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.period import ResetPeriod, next_reset, period_start

ANCHOR = datetime(2024, 1, 31, 22, 30, tzinfo=UTC)


def day(year: int, month: int, number: int, hour: int = 22, minute: int = 30) -> datetime:
    return datetime(year, month, number, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "resets"),
    [
        (ResetPeriod.DAILY, [day(2024, 2, 1), day(2024, 2, 2), day(2024, 2, 3)]),
        (ResetPeriod.WEEKLY, [day(2024, 2, 7), day(2024, 2, 14), day(2024, 2, 21)]),
        (ResetPeriod.FORTNIGHTLY, [day(2024, 2, 14), day(2024, 2, 28), day(2024, 3, 13)]),
        (
            ResetPeriod.MONTHLY,
            [day(2024, 2, 29), day(2024, 3, 31), day(2024, 4, 30), day(2024, 5, 31)],
        ),
        (ResetPeriod.BI_MONTHLY, [day(2024, 3, 31), day(2024, 5, 31), day(2024, 7, 31)]),
        (ResetPeriod.QUARTERLY, [day(2024, 4, 30), day(2024, 7, 31), day(2024, 10, 31)]),
        (ResetPeriod.EVERY_6_MONTHS, [day(2024, 7, 31), day(2025, 1, 31), day(2025, 7, 31)]),
        (ResetPeriod.ANNUAL, [day(2025, 1, 31), day(2026, 1, 31), day(2027, 1, 31)]),
    ],
)
def test_resets_follow_the_calendar(period: ResetPeriod, resets: list[datetime]) -> None:
    moment, found = ANCHOR, []
    for _ in resets:
        following = next_reset(period, ANCHOR, moment)
        assert following is not None
        found.append(following)
        moment = following
    assert found == resets


def test_a_leap_day_returns_in_leap_years() -> None:
    anchor = day(2024, 2, 29)
    years = [next_reset(ResetPeriod.ANNUAL, anchor, day(year, 6, 1)) for year in (2024, 2026, 2027)]
    assert years == [day(2025, 2, 28), day(2027, 2, 28), day(2028, 2, 29)]


MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("now", "start"),
    [
        (ANCHOR - MICROSECOND, None),
        (ANCHOR, ANCHOR),
        (day(2024, 2, 29) - MICROSECOND, ANCHOR),
        (day(2024, 2, 29), day(2024, 2, 29)),
        (day(2024, 3, 30), day(2024, 2, 29)),
        (day(2031, 2, 28), day(2031, 2, 28)),
    ],
)
def test_the_period_begins_with_the_last_reset(now: datetime, start: datetime | None) -> None:
    assert period_start(ResetPeriod.MONTHLY, ANCHOR, now) == start


def test_the_first_reset_is_the_anchor_itself() -> None:
    assert next_reset(ResetPeriod.DAILY, ANCHOR, ANCHOR - MICROSECOND) == ANCHOR


def test_never_is_never() -> None:
    assert period_start(ResetPeriod.NEVER, ANCHOR, ANCHOR) is None
    assert next_reset(ResetPeriod.NEVER, ANCHOR, ANCHOR) is None


@pytest.mark.parametrize("period", [ResetPeriod.DAILY, ResetPeriod.ANNUAL])
def test_beyond_the_calendar_there_is_no_reset(period: ResetPeriod) -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert next_reset(period, day(9999, 12, 31), last) is None
    assert period_start(period, day(9999, 12, 31), last) == day(9999, 12, 31)


MOMENTS = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - the zone is added by the strategy
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001 - the zone is added by the strategy
    timezones=st.just(UTC),
)
PERIODS = st.sampled_from([period for period in ResetPeriod if period is not ResetPeriod.NEVER])


@given(period=PERIODS, anchor=MOMENTS, now=MOMENTS)
def test_now_lies_in_its_period(period: ResetPeriod, anchor: datetime, now: datetime) -> None:
    start, end = period_start(period, anchor, now), next_reset(period, anchor, now)
    assert end is not None
    assert now < end
    if start is None:
        assert now < anchor == end
    else:
        assert anchor <= start <= now
        assert period_start(period, anchor, end) == end
        assert period_start(period, anchor, end - MICROSECOND) == start


@given(period=PERIODS, anchor=MOMENTS, now=MOMENTS)
def test_resets_strictly_increase_and_keep_the_time_of_day(
    period: ResetPeriod, anchor: datetime, now: datetime
) -> None:
    moment = now
    for _ in range(5):
        following = next_reset(period, anchor, moment)
        assert following is not None
        assert following > moment
        assert following.timetz() == anchor.timetz()
        moment = following


MONTHS = st.sampled_from(
    [
        ResetPeriod.MONTHLY,
        ResetPeriod.BI_MONTHLY,
        ResetPeriod.QUARTERLY,
        ResetPeriod.EVERY_6_MONTHS,
        ResetPeriod.ANNUAL,
    ]
)


@given(period=MONTHS, anchor=MOMENTS, now=MOMENTS)
def test_month_ends_are_kept(period: ResetPeriod, anchor: datetime, now: datetime) -> None:
    """The day is the anchor's, or the last one of a month that has not so many."""
    found = next_reset(period, anchor, now)
    assert found is not None
    last_of_month = (found + timedelta(days=1)).month != found.month
    assert found.day == anchor.day or (last_of_month and found.day < anchor.day)


@pytest.mark.parametrize("period", list(ResetPeriod))
def test_a_period_is_read_in_any_case(period: ResetPeriod) -> None:
    assert ResetPeriod.parse(f" {period.value.upper()} ") is period


def test_never_is_short_for_never_reset() -> None:
    assert ResetPeriod.parse("never") is ResetPeriod.NEVER


@pytest.mark.parametrize("text", ["", "Hourly", "Month"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="is not a reset period") as caught:
        ResetPeriod.parse(text)
    assert caught.value.field == "scheduled_reset_period"
