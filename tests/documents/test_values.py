"""Single values of documents, written and read."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.documents.values import (
    instant,
    read_address,
    read_duration,
    read_metadata,
    read_time,
    readable_bytes,
)
from entitlements_core.errors import InvalidValue

EAST = timezone(timedelta(hours=1))


def test_a_moment_is_written_in_utc() -> None:
    assert instant(datetime(2026, 12, 31, 18, 30, tzinfo=EAST)) == "2026-12-31T17:30:00Z"
    assert instant(None) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (12_345_678, "12.3 MB"),
        (10**24, "1 YB"),
        (10**28, f"{10**28} B"),
    ],
)
def test_bytes_are_readable(count: int, text: str) -> None:
    assert readable_bytes(count) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
        (" 2026-12-31T18:30:00Z ", datetime(2026, 12, 31, 18, 30, tzinfo=UTC)),
        ("2026-12-31T18:30:00+01:00", datetime(2026, 12, 31, 18, 30, tzinfo=EAST)),
    ],
)
def test_a_moment_is_read(text: str, moment: datetime) -> None:
    found = read_time("at", text)
    assert (found, found.utcoffset()) == (moment, moment.utcoffset())


def test_what_is_not_given_stays_so() -> None:
    assert read_time("at", None) is None
    assert read_duration("overlap", None) is None
    assert read_address("from", None) is None


@pytest.mark.parametrize("text", ["yesterday", "2026-12-31T18:30:00", "2026-13-01", ""])
def test_no_moment(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        read_time("at", text)
    assert caught.value.field == "at"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("30m", 1800), (" 12H ", 43_200), ("7d", 604_800)]
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert read_duration("overlap", text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "7", "d", "1.5h", "-1d", "9" * 30 + "w"])
def test_no_duration(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"no duration|too long"):
        read_duration("overlap", text)


def test_an_address_is_read() -> None:
    assert str(read_address("from", "2001:DB8::1")) == "2001:db8::1"
    with pytest.raises(InvalidValue, match="no address"):
        read_address("from", "localhost")


def test_an_object_is_read() -> None:
    assert read_metadata('{"plan": "gold"}') == {"plan": "gold"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("{'a': 1}", "is no JSON"),
        ("[" * 100_000, "too deep"),
        ("[]", "a JSON array"),
        ('"a"', "a JSON string"),
        ("true", "a JSON boolean"),
        ("null", "a JSON null"),
        ("1", "a JSON number"),
    ],
)
def test_no_object(text: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        read_metadata(text)


@given(text=st.text(max_size=200))
def test_any_text_is_an_object_or_none(text: str) -> None:
    try:
        found = read_metadata(text)
    except InvalidValue:
        return
    assert isinstance(found, dict)
