"""Ranges of days are made up of whole periods, each day once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.store.rollup_periods import (
    DAY,
    DaySpan,
    cover,
    day_of,
    days_in,
    periods_of,
    year_of,
)

YEARS = [year_of(day_of(datetime(year, 6, 1, tzinfo=UTC))) for year in range(2023, 2027)]
PERIODS = [span for year in YEARS for span in periods_of(year)]
FIRST, PAST = YEARS[0][0], YEARS[-1][1]


@pytest.mark.parametrize("year", YEARS)
def test_a_year_has_months_and_their_parts(year: DaySpan) -> None:
    periods = list(periods_of(year))
    assert len(periods) == 48 + 12 + 1
    for some in (periods[:48], periods[48:60], periods[60:]):
        assert [day for span in some for day in days_in(span)] == list(days_in(year))


@given(
    bounds=st.tuples(st.integers(FIRST - 40, PAST + 40), st.integers(0, 1500)),
    longer=st.frozensets(st.sampled_from(PERIODS)),
    unfit=st.frozensets(st.integers(FIRST, PAST), max_size=8),
)
def test_every_day_is_covered_once(
    bounds: tuple[int, int], longer: frozenset[DaySpan], unfit: frozenset[int]
) -> None:
    span = (bounds[0], bounds[0] + bounds[1])
    pieces = list(cover(span, longer, unfit))
    assert [day for piece in pieces for day in days_in(piece.span)] == list(days_in(span))
    for piece in pieces:
        days = days_in(piece.span)
        assert piece.is_rolled is unfit.isdisjoint(days)
        if piece.is_rolled:
            assert len(days) == 1 or piece.span in longer
        else:
            assert unfit.issuperset(days)


def test_all_that_there_is_is_used() -> None:
    span = (YEARS[0][0] + 1, YEARS[2][1] + 40)
    pieces = list(cover(span, frozenset(PERIODS), ()))
    lengths = [len(days_in(piece.span)) for piece in pieces]
    # From the second of January: days, parts of the month, months, years; then the same again.
    assert lengths[:10] == [1] * 7 + [8, 8, 7]
    assert lengths[10:23] == [28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 366, 365]
    assert lengths[23:] == [31, 8, 1]


@given(st.datetimes(datetime(1970, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - see there
def test_days_are_those_of_utc(moment: datetime) -> None:
    assert day_of(moment) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=DAY
    )
