"""What a clock that was ahead has left is shown, and mended on request."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from entitlements_core.policy.metering import CLOCK_SKEW
from entitlements_core.services.clock_repair import ClockRepair
from entitlements_core.services.operations import Operations
from entitlements_core.services.rollups import Rollups
from entitlements_core.store.database import Database
from entitlements_core.store.ledger import Ledger
from tests.actors import person
from tests.factories import NOW, REPOSITORY, add_repository, add_token, entry, rows
from tests.store.test_ledger import OTHER_CLIENT, OTHER_FILE, counters, driver, outcome

AHEAD = NOW + timedelta(days=400)
RIGHT = NOW + timedelta(hours=1)
MOMENTS = (
    "SELECT since, last_used_at FROM usage",
    "SELECT since, first_seen_at, last_seen_at FROM clients",
    "SELECT since FROM partial_downloads",
    "SELECT closed_until FROM rollup_state",
    "SELECT last_used_at FROM secrets WHERE last_used_at IS NOT NULL",
)


@pytest.fixture
def ledger(database_url: str, database: Database) -> Ledger:
    """Of a token that is reset daily, and was used by a clock that was ahead."""
    add_repository(database)
    token = add_token(
        database, limit_num_downloads=3, limit_num_clients=1, scheduled_reset_period="Daily"
    )
    for digest in (b"f" * 32, b"n" * 32):
        with database.begin() as unit:
            unit.secrets.put(
                "abcdefghijkl", [REPOSITORY], digest, sealed=None, at=NOW, previous_until=AHEAD
            )
    ledger = Ledger(driver(database_url))
    for now in (NOW, AHEAD):
        assert outcome(ledger.reserve(entry(token, now=now, former=1))) == "granted"
    assert outcome(ledger.reserve(entry(token, **OTHER_FILE, start=9, length=9, now=AHEAD))) == (
        "granted"
    )
    Rollups(Operations(database=database, clock=lambda: AHEAD + timedelta(days=3))).catch_up()
    return ledger


def micros(database: Database) -> list[int]:
    return [value for one in MOMENTS for row in rows(database, one) for value in row]


def test_it_is_shown_and_mended(ledger: Ledger, database: Database) -> None:
    mending = ClockRepair(Operations(database=database, clock=lambda: RIGHT))
    before, used = micros(database), counters(database)
    latest = int((RIGHT + CLOCK_SKEW).timestamp() * 1_000_000)
    shown = mending.preview()
    assert micros(database) == before
    assert max(before) > latest
    (reset,) = shown.resets
    assert (reset.token, reset.since, reset.mended) == ("abcdefghijkl", AHEAD, NOW)
    assert shown.moments == {
        "usage.last_used_at": 1,
        "clients.last_seen_at": 1,
        "partial_downloads.since": 1,
        "secrets.last_used_at": 1,
        "rollup_state.closed_until": 1,
    }
    assert (shown.downloads, shown.now, shown.is_mendable) == (1, RIGHT, True)

    assert mending.repair(actor=person()) == shown

    assert max(micros(database)) <= latest
    assert counters(database) == used
    after = mending.preview()
    assert after == replace(shown, resets=(), moments={})
    assert not after.is_mendable
    assert mending.repair(actor=person()) == after
    audit = rows(database, "SELECT actor, action, token FROM audit ORDER BY id")
    assert audit == [
        ("vendor", "token.reset_mended", "abcdefghijkl"),
        ("vendor", "moments.mended", ""),
    ]
    ledger.close()


def test_counting_goes_on_where_it_was(ledger: Ledger, database: Database) -> None:
    """The client is known, what was counted counts, and the next reset comes at its time."""
    ClockRepair(Operations(database=database, clock=lambda: RIGHT)).repair(actor=person())
    [[token]] = rows(database, "SELECT id FROM tokens")

    def ask(hours: float, **changes: object) -> str:
        now = NOW + timedelta(hours=hours)
        return outcome(ledger.reserve(entry(token, now=now, **changes)))

    assert ask(2) == ask(3) == "granted"
    assert ask(4) == "download_limit"
    assert ask(4.01, **OTHER_CLIENT) == "download_limit"
    assert ask(24, **OTHER_CLIENT) == "granted"
    assert counters(database) == (1, 1, 1000)
    ledger.close()


def test_a_little_ahead_is_nothing_to_mend(database: Database) -> None:
    add_repository(database)
    add_token(database, at=NOW + CLOCK_SKEW)
    mending = ClockRepair(Operations(database=database, clock=lambda: NOW))
    assert not mending.preview().is_mendable
    with database.begin() as unit:
        unit.session.execute(text("UPDATE usage SET since = since + 1"))
    assert [one.mended for one in mending.preview().resets] == [NOW]
