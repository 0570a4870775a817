"""The vendor's view of a token, and the rules of its fields."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from entitlements_core.errors import InvalidValue, QuerySyntaxError
from entitlements_core.policy.credential import State
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.metadata import Metadata
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.terms import (
    Terms,
    check_restriction,
    check_tags,
    check_text,
    check_time,
    checked,
)
from entitlements_core.policy.token import Status, Token, TokenGrant

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TOKEN = Token(
    identifier="abcdef123456",
    name="Acme",
    created_at=NOW,
    usage=Usage(since=NOW),
    grants=(TokenGrant(repository="acme/main"),),
)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.ENABLED),
        ({"state": State.DISABLED, "limit_num_downloads": 0}, Status.DISABLED),
        ({"state": State.DELETED, "limit_date_range_to": NOW}, Status.DELETED),
        ({"limit_date_range_from": NOW + DAY}, Status.NOT_YET_VALID),
        ({"limit_date_range_from": NOW}, Status.ENABLED),
        ({"limit_date_range_to": NOW}, Status.EXPIRED),
        ({"limit_date_range_to": NOW + DAY}, Status.ENABLED),
        ({"limit_num_downloads": 0}, Status.LIMITED),
        ({"limit_num_clients": 1}, Status.ENABLED),
    ],
)
def test_status(changes: dict[str, object], status: Status) -> None:
    assert replace(TOKEN, **changes).status(NOW) is status  # type: ignore[arg-type]  # a table's column


@pytest.mark.parametrize(
    ("limits", "used_up"),
    [
        ({}, ()),
        ({"limit_num_downloads": 6, "limit_num_clients": 3, "limit_bandwidth": 2001}, ()),
        ({"limit_num_downloads": 5}, ("limit_num_downloads",)),
        ({"limit_num_clients": 2}, ("limit_num_clients",)),
        ({"limit_bandwidth": 2, "limit_bandwidth_unit": "Kilobyte"}, ("limit_bandwidth",)),
        ({"limit_bandwidth": 3, "limit_bandwidth_unit": "kB"}, ()),
    ],
)
def test_used_up(limits: dict[str, object], used_up: tuple[str, ...]) -> None:
    usage = Usage(since=NOW, downloads=5, clients=2, bandwidth=2000)
    token = replace(TOKEN, usage=usage, **limits)  # type: ignore[arg-type]  # a table's column
    assert token.used_up(NOW) == used_up
    assert token.is_limited(NOW) is bool(used_up)


def test_a_scheduled_reset_that_has_passed_zeroes_what_is_shown() -> None:
    token = replace(
        TOKEN,
        limit_num_downloads=5,
        scheduled_reset_period="Monthly",
        usage=Usage(since=NOW, downloads=5),
    )
    assert token.next_reset(NOW) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert token.status(NOW + 27 * DAY) is Status.LIMITED
    assert token.status(NOW + 28 * DAY) is Status.ENABLED
    assert token.usage_at(NOW + 28 * DAY) == Usage(since=NOW + 28 * DAY)
    assert TOKEN.next_reset(NOW) is None
    anchored = replace(token, scheduled_reset_at=NOW + DAY)
    assert anchored.next_reset(NOW) == NOW + DAY


@pytest.mark.parametrize(
    "changes",
    [
        {"limit_num_downloads": 0},
        {"limit_bandwidth": 1},
        {"allow_networks": ("10.0.0.0/8",)},
        {"deny_networks": ("10.0.0.0/8",)},
        {"limit_date_range_from": NOW},
        {"limit_date_range_to": NOW},
        {"updates_until": NOW},
        {"grants": (TokenGrant(repository="a/b", limit_package_query="name:x"),)},
    ],
)
def test_anything_that_narrows_is_a_limit(changes: dict[str, object]) -> None:
    assert replace(TOKEN, **changes).has_limits  # type: ignore[arg-type]  # a table's column
    assert not TOKEN.has_limits


def test_terms_are_the_part_that_can_be_set() -> None:
    terms = Terms(name="Acme", tags=("gold",), limit_num_downloads=3)
    token = replace(TOKEN, tags=("gold",), limit_num_downloads=3)
    assert token.terms == terms
    assert type(token.terms) is Terms
    assert not token.is_default
    assert token.grant_in("acme/none") is None


def test_checked_terms_have_one_spelling() -> None:
    zone = timezone(timedelta(hours=2))
    terms = checked(
        Terms(
            name="  Acme  ",
            limit_bandwidth=1,
            limit_bandwidth_unit="tb",
            scheduled_reset_period="never",
            scheduled_reset_at=NOW.astimezone(zone),
            limit_date_range_from=NOW.astimezone(zone),
            limit_date_range_to=NOW + DAY,
            updates_until=NOW,
            allow_networks=("10.1.2.3/8", "2001:DB8::1"),
            tags=("b", "a", "b"),
            metadata={"plan": "gold"},
        )
    )
    assert terms.name == "Acme"
    assert terms.limit_bandwidth_unit == "Terabyte"
    assert terms.scheduled_reset_period == "Never Reset"
    assert str(terms.scheduled_reset_at) == "2026-01-31 12:00:00+00:00"
    assert terms.limit_date_range_from == NOW
    assert terms.allow_networks == ("10.0.0.0/8", "2001:db8::1/128")
    assert terms.tags == ("a", "b")
    assert checked(terms) == terms


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "x" * 256}),
        ("name", {"name": "a\x00b"}),
        ("name", {"name": "lone \ud800 surrogate"}),
        ("owner", {"owner": "two\nlines"}),
        ("limit_num_downloads", {"limit_num_downloads": -1}),
        ("limit_num_clients", {"limit_num_clients": -1}),
        ("limit_bandwidth", {"limit_bandwidth": 10, "limit_bandwidth_unit": "Exabyte"}),
        ("limit_bandwidth_unit", {"limit_bandwidth_unit": "GiB"}),
        ("scheduled_reset_period", {"scheduled_reset_period": "Yearly"}),
        ("limit_date_range_to", {"limit_date_range_from": NOW, "limit_date_range_to": NOW}),
        ("networks", {"deny_networks": ("193.5.0.1/92",)}),
        ("networks", {"allow_networks": ("10.0.0.0/8",), "deny_networks": ("10.0.0.0/8",)}),
        ("metadata", {"metadata": "text"}),
        ("tags", {"tags": ("",)}),
        ("tags", {"tags": ("x" * 65,)}),
        ("tags", {"tags": tuple(f"t{n}" for n in range(51))}),
        ("scheduled_reset_at", {"scheduled_reset_at": NOW.replace(tzinfo=None)}),
    ],
)
def test_terms_that_do_not_fit(field: str, terms: dict[str, object]) -> None:
    with pytest.raises(InvalidValue) as caught:
        checked(Terms(**{"name": "Acme", **terms}))  # type: ignore[arg-type]  # a table's column
    assert caught.value.field == field
    assert caught.value.remedy


def test_texts() -> None:
    assert check_text("name", " ü\u200d☃ ", longest=4) == "ü\u200d☃"
    assert check_text("content", "a\n\tb", longest=9, lines=True) == "a\n\tb"
    assert check_text("owner", "", longest=1) == ""
    with pytest.raises(InvalidValue, match="0 to 2"):
        check_text("owner", "abc", longest=2)


def test_tags_are_a_list_of_words() -> None:
    assert check_tags(["ü", "a.b-c_d"]) == ("a.b-c_d", "ü")
    with pytest.raises(InvalidValue, match="one text"):
        check_tags("gold")


def test_times_are_aware() -> None:
    assert check_time("since", None) is None
    with pytest.raises(InvalidValue, match="time zone"):
        check_time("since", datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose
    with pytest.raises(InvalidValue, match="calendar"):
        check_time("since", datetime.min.replace(tzinfo=timezone(timedelta(hours=1))))


def test_restrictions() -> None:
    assert check_restriction(None) == (None, ())
    for blank in ("", "  ", "\t\n"):
        with pytest.raises(InvalidValue, match="is blank"):
            check_restriction(blank)
    assert check_restriction("name:^demo$") == ("name:^demo$", ())
    text, warnings = check_restriction("name:demo")
    assert text == "name:demo"
    assert len(warnings) == 1
    with pytest.raises(QuerySyntaxError):
        check_restriction("name:(")
    with pytest.raises(InvalidValue, match="1025 characters"):
        check_restriction("x" * 1025)
    custom = check_restriction(
        "team:core", lambda found: PackageQuery.parse(found, extra_fields=["team"])
    )
    assert custom[0] == "team:core"


def test_metadata_is_the_vendors_own() -> None:
    metadata: Metadata = {"nested": {"list": [1, None, True]}}
    assert checked(Terms(name="Acme", metadata=metadata)).metadata == metadata
