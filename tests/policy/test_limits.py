"""Limits and their units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.limits import (
    MAX_COUNT,
    BandwidthUnit,
    Limits,
    check_bandwidth,
    check_count,
    parse_bandwidth,
)

GIGABYTE = BandwidthUnit.GIGABYTE


@pytest.mark.parametrize(
    ("unit", "size", "symbol"),
    [
        (BandwidthUnit.BYTE, 1, "B"),
        (BandwidthUnit.KILOBYTE, 1_000, "kB"),
        (BandwidthUnit.MEGABYTE, 1_000_000, "MB"),
        (BandwidthUnit.GIGABYTE, 1_000_000_000, "GB"),
        (BandwidthUnit.TERABYTE, 1_000_000_000_000, "TB"),
        (BandwidthUnit.PETABYTE, 1_000_000_000_000_000, "PB"),
        (BandwidthUnit.EXABYTE, 1_000_000_000_000_000_000, "EB"),
        (BandwidthUnit.ZETTABYTE, 10**21, "ZB"),
        (BandwidthUnit.YOTTABYTE, 10**24, "YB"),
    ],
)
def test_units_are_decimal(unit: BandwidthUnit, size: int, symbol: str) -> None:
    assert unit.bytes == size
    assert unit.symbol == symbol


@pytest.mark.parametrize(
    "text", ["Gigabyte", "gigabyte", "GIGABYTES", " GB ", "gb", "Gb", "gigabytes"]
)
def test_a_unit_is_read_in_any_spelling(text: str) -> None:
    assert BandwidthUnit.parse(text) is GIGABYTE


@pytest.mark.parametrize("text", ["", "GiB", "G", "bit", "Giga byte"])
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="is not a unit of bandwidth") as caught:
        BandwidthUnit.parse(text)
    assert caught.value.field == "limit_bandwidth_unit"


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("10GB", 10, GIGABYTE),
        (" 10 Gigabyte ", 10, GIGABYTE),
        ("0", 0, BandwidthUnit.BYTE),
        ("500", 500, BandwidthUnit.BYTE),
        ("9223372036854775807", MAX_COUNT, BandwidthUnit.BYTE),
        ("9EB", 9, BandwidthUnit.EXABYTE),
    ],
)
def test_an_amount_is_read(text: str, amount: int, unit: BandwidthUnit) -> None:
    assert parse_bandwidth(text) == (amount, unit)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "limit_bandwidth"),
        ("GB", "limit_bandwidth"),
        ("-1GB", "limit_bandwidth_unit"),
        ("1.5GB", "limit_bandwidth_unit"),
        ("10 apples", "limit_bandwidth_unit"),
        ("9223372036854775808", "limit_bandwidth"),
        ("10EB", "limit_bandwidth"),
        ("1ZB", "limit_bandwidth"),
        ("9" * 5000, "limit_bandwidth"),
        ("\u0661\u0660GB", "limit_bandwidth_unit"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_bandwidth(text)
    assert caught.value.field == field


@given(amount=st.integers(0, 10**30), unit=st.sampled_from(BandwidthUnit))
def test_an_amount_that_is_taken_can_be_counted(amount: int, unit: BandwidthUnit) -> None:
    try:
        check_bandwidth(amount, unit)
    except InvalidValue:
        assert amount * unit.bytes > 2**63 - 1
    else:
        assert amount * unit.bytes <= 2**63 - 1


@pytest.mark.parametrize("value", [None, 0, 1, MAX_COUNT])
def test_a_count_that_fits_is_kept(value: int | None) -> None:
    assert check_count("limit_num_downloads", value) == value


@pytest.mark.parametrize("value", [-1, MAX_COUNT + 1])
def test_a_count_that_does_not_fit_names_its_field(value: int) -> None:
    with pytest.raises(InvalidValue, match=f"limit_num_clients cannot be {value}") as caught:
        check_count("limit_num_clients", value)
    assert caught.value.field == "limit_num_clients"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(), False),
        (Limits(downloads=0), True),
        (Limits(clients=5), True),
        (Limits(bandwidth=0), True),
    ],
)
def test_whether_anything_is_limited(limits: Limits, expected: bool) -> None:  # noqa: FBT001 - the answer
    assert limits.any is expected
