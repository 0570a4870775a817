"""One suite for every ledger: what is counted, what is refused, and what survives."""

import contextlib
import fcntl
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entitlements_core.errors import StoreError
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.store import ledger as ledgers
from entitlements_core.store import ledger_postgres, lock_file
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.ledger import BATCH, Entry, Ledger, LedgerDriver, Receipt
from entitlements_core.store.ledger_postgres import PostgresLedger
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.moments import to_micros
from entitlements_core.store.timeouts import Timeouts
from tests.factories import NOW, add_repository, add_token, edit_token, entry, rows
from tests.postgres import Server, _options, _run, running_server

Reserve = Callable[..., Receipt | Deny]

MANY = 1_000_000


def driver(url: str) -> LedgerDriver:
    return SqliteLedger(url) if DatabaseURL.parse(url).is_sqlite else PostgresLedger(url)


@pytest.fixture
def ledger(database_url: str, database: Database) -> Iterator[Ledger]:
    """A ledger over a store with one repository."""
    add_repository(database)
    ledger = Ledger(driver(database_url))
    yield ledger
    ledger.close()


def outcome(found: Receipt | Deny) -> str:
    return found.reason.value if isinstance(found, Deny) else "granted"


def counters(database: Database) -> tuple[int, int, int]:
    [found] = rows(database, "SELECT downloads, clients, bandwidth FROM usage")
    return (found[0], found[1], found[2])


def later(**amount: float) -> datetime:
    return NOW + timedelta(**amount)


FILENAME = entry(1).filename
OTHER_FILE = {"filename": "foo-2.0-py3-none-any.whl"}
OTHER_CLIENT = {"client": "203.0.113.10"}


@pytest.mark.parametrize(
    ("limits", "requests", "outcomes", "used"),
    [
        pytest.param({}, [{}] * 2, ["granted"] * 2, (1, 1, 2000), id="no-limits"),
        pytest.param({"limit_num_downloads": 0}, [{}], ["download_limit"], (0, 0, 0), id="none"),
        pytest.param(
            {"limit_num_downloads": 1},
            [{}, OTHER_FILE, {}],
            ["granted", "download_limit", "granted"],
            (1, 1, 2000),
            id="one-download",
        ),
        pytest.param(
            {"limit_num_downloads": 2},
            [{}, OTHER_CLIENT, OTHER_FILE],
            ["granted", "granted", "download_limit"],
            (2, 2, 2000),
            id="two-clients-download-twice",
        ),
        pytest.param({"limit_num_clients": 0}, [{}], ["client_limit"], (0, 0, 0), id="no-clients"),
        pytest.param(
            {"limit_num_clients": 1},
            [{}, OTHER_CLIENT, OTHER_FILE],
            ["granted", "client_limit", "granted"],
            (2, 1, 2000),
            id="one-client",
        ),
        pytest.param({"limit_bandwidth": 0}, [{}], ["bandwidth_limit"], (0, 0, 0), id="no-bytes"),
        pytest.param(
            {"limit_bandwidth": 0}, [{"size": 0}], ["granted"], (1, 1, 0), id="an-empty-file"
        ),
        pytest.param(
            {"limit_bandwidth": 2, "limit_bandwidth_unit": "Kilobyte"},
            [{}, {}, {"size": 1}],
            ["granted", "granted", "bandwidth_limit"],
            (1, 1, 2000),
            id="exactly-two-kilobytes",
        ),
        pytest.param(
            {"limit_bandwidth": 1999},
            [{}, {}],
            ["granted", "bandwidth_limit"],
            (1, 1, 1000),
            id="a-byte-too-little",
        ),
        pytest.param(
            {"limit_num_downloads": 1, "limit_num_clients": 1, "limit_bandwidth": 1},
            [{}, {"length": 1, "size": 1}, {**OTHER_CLIENT, "size": 0}],
            ["bandwidth_limit", "granted", "download_limit"],
            (1, 1, 1),
            id="the-first-limit-is-named",
        ),
    ],
)  # fmt: skip - one case, one place
def test_limits(
    ledger: Ledger,
    database: Database,
    limits: dict[str, Any],
    requests: list[dict[str, Any]],
    outcomes: list[str],
    used: tuple[int, int, int],
) -> None:
    token = add_token(database, **limits)

    found = [outcome(ledger.reserve(entry(token, **request))) for request in requests]

    assert found == outcomes
    assert counters(database) == used


@pytest.mark.parametrize(
    ("window", "after", "downloads"),
    [
        pytest.param(300, 0, 1, id="at-once"),
        pytest.param(300, 299.999999, 1, id="just-within"),
        pytest.param(300, 300, 2, id="just-after"),
        pytest.param(0, 0, 2, id="no-window"),
    ],
)
def test_requests_ride_on_a_download_for_a_while(
    ledger: Ledger, database: Database, window: float, after: float, downloads: int
) -> None:
    token = add_token(database)
    for now in (NOW, later(seconds=after)):
        ledger.reserve(entry(token, window=timedelta(seconds=window), now=now))

    assert counters(database) == (downloads, 1, 2000)
    assert sorted(rows(database, "SELECT requests, bandwidth FROM downloads")) == (
        [(2, 2000)] if downloads == 1 else [(1, 1000), (1, 1000)]
    )


@pytest.mark.parametrize(
    ("ranges", "downloads", "collected"),
    [
        pytest.param([(0, 1)], 1, None, id="from-the-first-byte"),
        pytest.param([(1, 999)], 1, None, id="all-but-the-first-byte"),
        pytest.param([(100, 899)], 0, 899, id="almost"),
        pytest.param([(100, 899), (999, 1)], 1, None, id="that-add-up"),
        pytest.param([(500, 500), (500, 399)], 0, 899, id="twice-the-same"),
        pytest.param([(990, 10), (0, 1000)], 1, None, id="a-tail-then-all"),
        pytest.param([(0, 1000), (990, 10)], 1, None, id="all-then-a-tail"),
    ],
)
def test_ranges_count_when_they_add_up(
    ledger: Ledger,
    database: Database,
    ranges: list[tuple[int, int]],
    downloads: int,
    collected: int | None,
) -> None:
    token = add_token(database)

    for start, length in ranges:
        assert outcome(ledger.reserve(entry(token, start=start, length=length))) == "granted"

    assert counters(database) == (downloads, 1, sum(length for _, length in ranges))
    found = rows(database, "SELECT collected FROM partial_downloads")
    assert found == ([] if collected is None else [(collected,)])


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("fetched", "downloads", "left"),
    [
        pytest.param([("A", 1, 499), ("B", 500, 500)], 1, {}, id="halves"),
        pytest.param([("A", 1, 449), ("B", 500, 450)], 0, {"A": 449, "B": 450}, id="almost"),
        pytest.param([("A", 1, 449), ("B", 500, 451)], 1, {}, id="just"),
        pytest.param(
            [("A", 500, 300), ("B", 0, 1000), ("C", 1, 100)], 1, {"A": 300, "C": 100}, id="whole"
        ),
        pytest.param([("A", 500, 300), ("A", 0, 1000)], 1, {}, id="whole-by-the-same"),
        pytest.param(
            [("A", 1, 300), ("B", 300, 300), ("C", 600, 300), ("D", 1, 100), ("E", 1, 5)],
            1,
            {"D": 100, "E": 5},
            id="three-and-on",
        ),
        pytest.param([(one, 100, 200) for one in "ABCDEFGHIJ"], 2, {}, id="again-and-again"),
    ],
)
def test_ranges_of_several_clients_add_up(
    ledger: Ledger,
    database_url: str,
    database: Database,
    fetched: list[tuple[str, int, int]],
    downloads: int,
    left: dict[str, int],
    *,
    together: bool,
) -> None:
    token, other = add_token(database), add_token(database, "mnopqrstuvwx")
    entries = [entry(token, client=who, start=start, length=size) for who, start, size in fetched]
    # Neither another token nor another file has a part in it.
    entries += [
        entry(other, client="A", start=1, length=899),
        entry(token, client="A", start=1, length=899, filename="other-1.0.tar.gz"),
    ]
    if together:
        keeper = driver(database_url)
        assert all(isinstance(one, Receipt) for one in keeper.commit(entries))
        keeper.close()
    else:
        assert [outcome(ledger.reserve(one)) for one in entries] == ["granted"] * len(entries)
    used = dict(rows(database, "SELECT token_id, downloads FROM usage"))
    assert used == {token: downloads, other: 0}
    found = rows(database, "SELECT token_id, filename, client, collected FROM partial_downloads")
    mine = {who: size for owner, file, who, size in found if (owner, file) == (token, FILENAME)}
    assert mine == left


def everything(database: Database) -> list[object]:
    """All that is counted; of ranges, how much of each file, whoever fetched them."""
    return [
        sorted(rows(database, "SELECT token_id, since, downloads, clients, bandwidth FROM usage")),
        sorted(rows(database, "SELECT token_id, client, since FROM clients")),
        sorted(rows(database, "SELECT filename, client, at, requests, bandwidth FROM downloads")),
        sorted(
            rows(
                database,
                "SELECT filename, sum(collected) FROM partial_downloads"
                " GROUP BY filename HAVING sum(collected) > 0",
            )
        ),
    ]


ASKED = st.tuples(
    st.sampled_from("ABC"),
    st.sampled_from(["foo-1.0.tar.gz", "foo-2.0.tar.gz"]),
    st.sampled_from([(0, 1000), (0, 1), (1, 899), (1, 900), (500, 300), (500, 450), (900, 100)]),
    st.sampled_from([0, 100, 400]),
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=st.lists(ASKED, max_size=8), last=ASKED)
def test_what_is_taken_back_leaves_everything_as_it_was(
    ledger: Ledger,
    database: Database,
    history: list[tuple[str, str, tuple[int, int], int]],
    last: tuple[str, str, tuple[int, int], int],
) -> None:
    [[number]] = rows(database, "SELECT count(*) FROM tokens")
    token, now = add_token(database, f"token-{number:06}"), NOW

    def asked(one: tuple[str, str, tuple[int, int], int]) -> Entry:
        nonlocal now
        now += timedelta(seconds=one[3])
        who, file, (start, length), _ = one
        return entry(token, client=who, filename=file, start=start, length=length, now=now)

    for one in history:
        ledger.reserve(asked(one))
    before = everything(database)
    receipt = ledger.reserve(asked(last))
    assert isinstance(receipt, Receipt)
    ledger.cancel(receipt)
    assert everything(database) == before


@pytest.mark.parametrize("ahead", [{"minutes": 20}, {"days": 1}, {"days": 3650}])
def test_a_clock_that_was_ahead_opens_no_file(
    ledger: Ledger, database: Database, ahead: dict[str, int]
) -> None:
    """What was counted then is no reason to let anything through, nor to count all that follows."""
    token = add_token(database, limit_num_downloads=3)
    wrong, right = later(**ahead), later(seconds=1)
    moments = (NOW, wrong, right, later(seconds=2), later(seconds=400), later(seconds=401))
    assert [outcome(ledger.reserve(entry(token, now=now))) for now in moments] == (["granted"] * 6)
    assert counters(database)[0] == 3
    assert outcome(ledger.reserve(entry(token, now=later(seconds=800)))) == "download_limit"


@pytest.mark.parametrize("used_up", [False, True])
def test_a_reset_by_a_clock_that_was_ahead_keeps_no_later_one_away(
    ledger: Ledger, database: Database, *, used_up: bool
) -> None:
    """What was counted since then stays counted until the next reset that there really is."""
    token = add_token(
        database, limit_num_downloads=2, limit_num_clients=1, scheduled_reset_period="Daily"
    )

    def ask(now: datetime, **changes: Any) -> str:  # noqa: ANN401 - any field
        return outcome(ledger.reserve(entry(token, now=now, **changes)))

    ahead = later(days=400, hours=3)
    assert [ask(ahead), *([ask(ahead, **OTHER_FILE)] if used_up else [])] == (
        ["granted"] * (1 + used_up)
    )
    # The right time again, and no other client.
    assert ask(later(hours=1), **OTHER_CLIENT) in {"client_limit", "download_limit"}
    found = [ask(later(hours=hour)) for hour in (2, 3, 23.9)]
    assert found == [("download_limit" if used_up else "granted"), *["download_limit"] * 2]
    assert ask(later(hours=24), **OTHER_CLIENT) == "granted"
    assert counters(database) == (1, 1, 1000)
    assert [ask(later(hours=24.01), **OTHER_CLIENT), ask(later(hours=25), **OTHER_CLIENT)] == [
        "granted",
        "granted",
    ]
    assert ask(later(hours=26), **OTHER_CLIENT) == "download_limit"
    assert ask(later(hours=48)) == "granted"


def test_two_clocks_that_differ_for_long_reset_twice_in_a_period_at_most(
    ledger: Ledger, database: Database
) -> None:
    """One node is a year ahead, for good; a token goes from one to the other and back."""
    token = add_token(database, limit_num_downloads=2, scheduled_reset_period="Daily")
    granted = 0
    for hour in range(10 * 24):
        for ahead in (0, 400):
            now = later(hours=hour, days=ahead)
            granted += outcome(ledger.reserve(entry(token, now=now))) == "granted"
    assert 10 * 2 <= granted <= 10 * 2 * 2


def test_a_reset_by_hand_by_a_clock_that_was_ahead(ledger: Ledger, database: Database) -> None:
    """What is counted then is ridden on, and the next reset by hand is one again."""
    token = add_token(database)
    with database.begin() as unit:
        unit.tokens.zero_usage("abcdefghijkl", at=later(days=400))
    for second in range(3):
        assert outcome(ledger.reserve(entry(token, now=later(seconds=second)))) == "granted"
    assert counters(database) == (1, 1, 3000)
    with database.begin() as unit:
        unit.tokens.zero_usage("abcdefghijkl", at=later(seconds=5))
    assert counters(database) == (0, 0, 0)
    [[since]] = rows(database, "SELECT since FROM usage")
    assert since == to_micros(later(seconds=5))
    assert outcome(ledger.reserve(entry(token, now=later(seconds=6)))) == "granted"
    assert counters(database) == (1, 1, 1000)


def test_a_client_that_may_not_download_may_not_collect(ledger: Ledger, database: Database) -> None:
    token = add_token(database, limit_num_downloads=0)

    assert outcome(ledger.reserve(entry(token, start=500, length=10))) == "download_limit"
    assert counters(database) == (0, 0, 0)


ANCHOR = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected", "since"),
    [
        pytest.param(
            datetime(2026, 2, 28, 11, 59, 59, 999_999, tzinfo=UTC),
            "download_limit",
            ANCHOR,
            id="a-microsecond-before",
        ),
        pytest.param(
            datetime(2026, 2, 28, 12, tzinfo=UTC),
            "granted",
            datetime(2026, 2, 28, 12, tzinfo=UTC),
            id="exactly-then",
        ),
        pytest.param(
            datetime(2026, 6, 15, tzinfo=UTC),
            "granted",
            datetime(2026, 5, 31, 12, tzinfo=UTC),
            id="periods-without-use",
        ),
    ],
)
def test_counters_go_back_to_zero_at_the_reset(
    ledger: Ledger, database: Database, now: datetime, expected: str, since: datetime
) -> None:
    token = add_token(
        database,
        at=ANCHOR,
        limit_num_downloads=1,
        limit_num_clients=1,
        scheduled_reset_period="Monthly",
        scheduled_reset_at=ANCHOR,
    )
    ledger.reserve(entry(token, now=ANCHOR))

    found = ledger.reserve(entry(token, now=now, **OTHER_CLIENT))

    assert outcome(found) == expected
    assert counters(database) == (1, 1, 1000)
    with database.read() as unit:
        assert unit.tokens.get("abcdefghijkl").usage.since == since


def test_a_limit_says_when_it_resets(ledger: Ledger, database: Database) -> None:
    token = add_token(database, limit_num_downloads=0, scheduled_reset_period="Daily")

    found = ledger.reserve(entry(token, now=later(hours=1)))

    assert isinstance(found, Deny)
    assert found.title == "Download limit 0/0 reached; resets 2026-04-01 12:00 UTC"
    assert found.retry_at == datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_a_download_before_the_reset_carries_none_after_it(
    ledger: Ledger, database: Database
) -> None:
    token = add_token(
        database, at=ANCHOR, scheduled_reset_period="Daily", scheduled_reset_at=ANCHOR
    )
    reset = ANCHOR + timedelta(days=1)

    ledger.reserve(entry(token, now=reset - timedelta(seconds=1)))
    ledger.reserve(entry(token, now=reset))

    assert counters(database) == (1, 1, 1000)
    assert rows(database, "SELECT count(*) FROM downloads") == [(2,)]


def test_a_manual_reset_counts_clients_anew(ledger: Ledger, database: Database) -> None:
    token = add_token(database, limit_num_clients=1)
    ledger.reserve(entry(token))
    with database.begin() as unit:
        unit.tokens.zero_usage("abcdefghijkl", at=later(seconds=1))

    outcomes = [
        outcome(ledger.reserve(entry(token, now=later(seconds=2), client=client)))
        for client in ("203.0.113.10", "203.0.113.9", "203.0.113.10")
    ]

    assert outcomes == ["granted", "client_limit", "granted"]
    assert counters(database) == (1, 1, 2000)


def test_a_manual_reset_at_the_same_moment_counts_anew(ledger: Ledger, database: Database) -> None:
    token = add_token(database)
    ledger.reserve(entry(token))
    with database.begin() as unit:
        unit.tokens.zero_usage("abcdefghijkl", at=NOW)

    ledger.reserve(entry(token, now=later(seconds=1)))

    assert counters(database) == (1, 1, 1000)


@pytest.mark.parametrize(
    ("before", "after", "outcomes"),
    [(1, 2, ["granted", "granted"]), (2, 1, ["granted", "download_limit"])],
    ids=["raised", "lowered"],
)
def test_a_changed_limit_holds_for_the_next_request(
    ledger: Ledger, database: Database, before: int, after: int, outcomes: list[str]
) -> None:
    token = add_token(database, limit_num_downloads=before)

    found = [outcome(ledger.reserve(entry(token)))]
    edit_token(database, limit_num_downloads=after)
    found.append(outcome(ledger.reserve(entry(token, **OTHER_FILE))))

    assert found == outcomes


def test_two_tokens_do_not_share_their_counters(ledger: Ledger, database: Database) -> None:
    first = add_token(database, limit_num_downloads=1)
    second = add_token(database, "mnopqrstuvwx", limit_num_downloads=1)

    assert outcome(ledger.reserve(entry(first))) == "granted"
    assert outcome(ledger.reserve(entry(second))) == "granted"
    assert outcome(ledger.reserve(entry(first, **OTHER_FILE))) == "download_limit"


def test_equal_names_in_two_repositories_are_two_files(ledger: Ledger, database: Database) -> None:
    add_repository(database, "acme/beta")
    token = add_token(database)

    ledger.reserve(entry(token))
    ledger.reserve(entry(token, repository="acme/beta"))

    assert counters(database) == (2, 1, 2000)


@pytest.mark.parametrize(
    ("token", "repository"), [(4711, "acme/stable"), (None, "acme/nowhere"), (None, "acme")]
)
def test_a_token_or_repository_that_is_gone_is_an_error(
    ledger: Ledger, database: Database, token: int | None, repository: str
) -> None:
    known = add_token(database)

    with pytest.raises(StoreError, match="removed during the request"):
        ledger.reserve(entry(token or known, repository=repository))

    assert counters(database) == (0, 0, 0)


def test_what_is_stored_of_a_download(ledger: Ledger, database: Database) -> None:
    token = add_token(database)

    ledger.reserve(entry(token, user_agent="uv/0.13.9 'quoted' ü", client="2001:db8::/64"))

    assert rows(
        database,
        "SELECT d.token_id, r.slug, project, version, filename, client, user_agent, requests,"
        " bandwidth, at FROM downloads d JOIN repositories r ON r.id = d.repository_id",
    ) == [
        (
            token,
            "stable",
            "foo",
            "1.0",
            "foo-1.0-py3-none-any.whl",
            "2001:db8::/64",
            "uv/0.13.9 'quoted' ü",
            1,
            1000,
            1_774_958_400_000_000,
        )
    ]
    with database.read() as unit:
        token_after = unit.tokens.get("abcdefghijkl")
        [client] = unit.tokens.clients("abcdefghijkl")
    assert token_after.last_used_at == NOW
    assert (client.client, client.counts, client.first_seen_at) == ("2001:db8::/64", True, NOW)


# Taking back.


def reserved(ledger: Ledger, wanted: Entry) -> Receipt:
    receipt = ledger.reserve(wanted)
    assert isinstance(receipt, Receipt)
    return receipt


def traces(database: Database) -> list[int]:
    """How many downloads, clients and bytes collected there are, whoever counts them."""
    return [
        rows(database, statement)[0][0]
        for statement in (
            "SELECT count(*) FROM downloads",
            "SELECT count(*) FROM clients",
            "SELECT coalesce(sum(collected), 0) FROM partial_downloads",
        )
    ]


@pytest.mark.parametrize(
    ("answers", "cancelled", "used", "left"),
    [
        pytest.param([{}], [0], (0, 0, 0), [0, 0, 0], id="the-only-answer"),
        pytest.param([{}, {}], [1], (1, 1, 1000), [1, 1, 0], id="a-rider"),
        pytest.param([{}, {}], [0], (1, 1, 1000), [1, 1, 0], id="the-first-of-two"),
        pytest.param([{}, {}], [0, 1], (0, 1, 0), [0, 1, 0], id="both-in-order"),
        pytest.param([{}, {}], [1, 0], (0, 0, 0), [0, 0, 0], id="both-backwards"),
        pytest.param([{}, OTHER_FILE], [0], (1, 1, 1000), [1, 1, 0], id="another-file-stays"),
        pytest.param([{}, OTHER_CLIENT], [1], (1, 1, 1000), [1, 1, 0], id="another-client-stays"),
        pytest.param(
            [{"start": 500, "length": 10}], [0], (0, 0, 0), [0, 0, 0], id="the-only-range"
        ),
        pytest.param(
            [{"start": 500, "length": 10}, {"start": 510, "length": 20}],
            [0],
            (0, 1, 20),
            [0, 1, 20],
            id="one-of-two-ranges",
        ),
    ],
)
def test_cancel_takes_back_what_nobody_else_relies_on(
    ledger: Ledger,
    database: Database,
    answers: list[dict[str, Any]],
    cancelled: list[int],
    used: tuple[int, int, int],
    left: list[int],
) -> None:
    token = add_token(database)
    receipts = [reserved(ledger, entry(token, **answer)) for answer in answers]

    for index in cancelled:
        ledger.cancel(receipts[index])

    assert counters(database) == used
    assert traces(database) == left


def test_cancel_lets_no_second_client_past_a_limit_of_one(
    ledger: Ledger, database: Database
) -> None:
    token = add_token(database, limit_num_clients=1, limit_num_downloads=1)
    failed = reserved(ledger, entry(token))
    reserved(ledger, entry(token))

    ledger.cancel(failed)

    assert outcome(ledger.reserve(entry(token, **OTHER_CLIENT))) == "download_limit"
    edit_token(database, limit_num_downloads=None)
    assert outcome(ledger.reserve(entry(token, **OTHER_CLIENT))) == "client_limit"


def test_cancel_after_a_reset_takes_nothing_from_the_new_period(
    ledger: Ledger, database: Database
) -> None:
    token = add_token(database)
    receipt = reserved(ledger, entry(token))
    with database.begin() as unit:
        unit.tokens.zero_usage("abcdefghijkl", at=later(seconds=1))
    ledger.reserve(entry(token, now=later(seconds=2)))

    ledger.cancel(receipt)

    assert counters(database) == (1, 1, 1000)


# Batches.


def test_a_batch_grants_what_fits_in_its_order(database_url: str, database: Database) -> None:
    add_repository(database)
    token = add_token(database, limit_num_downloads=2, limit_bandwidth=10_000)
    other = add_token(database, "mnopqrstuvwx")
    keeper = driver(database_url)

    found = keeper.commit(
        [
            entry(token),
            entry(4711),
            entry(token),
            entry(other),
            entry(token, filename="b.whl", size=9_000),
            entry(token, filename="c.whl", size=8_000),
            entry(token, filename="d.whl", size=1),
            entry(other, repository="acme/nowhere"),
            entry(other, start=500, length=100),
            entry(other, filename="e.whl", start=10, length=700),
            entry(other, filename="e.whl", start=500, length=200),
        ]
    )
    keeper.close()

    assert ["error" if isinstance(one, StoreError) else outcome(one) for one in found] == [
        "granted",
        "error",
        "granted",
        "granted",
        "bandwidth_limit",
        "granted",
        "download_limit",
        "error",
        "granted",
        "granted",
        "granted",
    ]
    assert rows(
        database,
        "SELECT token_id, downloads, clients, bandwidth FROM usage ORDER BY token_id",
    ) == [(token, 2, 1, 10_000), (other, 2, 1, 2000)]
    assert rows(
        database,
        "SELECT filename, requests, bandwidth FROM downloads ORDER BY token_id, filename",
    ) == [
        ("c.whl", 1, 8000),
        ("foo-1.0-py3-none-any.whl", 2, 2000),
        ("e.whl", 1, 200),
        ("foo-1.0-py3-none-any.whl", 2, 1100),
    ]
    assert rows(database, "SELECT count(*) FROM partial_downloads") == [(0,)]


def test_an_unreadable_token_holds_back_nobody_else(database_url: str, database: Database) -> None:
    add_repository(database)
    broken = add_token(database)
    sound = add_token(database, "mnopqrstuvwx")
    with database.begin() as unit:
        unit.tokens.row("abcdefghijkl").scheduled_reset_period = "Hourly"
    keeper = driver(database_url)

    failed, granted = keeper.commit([entry(broken), entry(sound)])
    keeper.close()

    assert isinstance(failed, StoreError)
    assert "Hourly" in str(failed)
    assert isinstance(granted, Receipt)


# Many at once.


def race(ledger: Ledger, token: int, threads: int, each: int, **terms: Any) -> list[str]:  # noqa: ANN401 - any field
    start = threading.Barrier(threads)

    def work(number: int) -> list[str]:
        start.wait()
        return [
            outcome(ledger.reserve(entry(token, filename=f"f{number}-{turn}.whl", **terms)))
            for turn in range(each)
        ]

    with ThreadPoolExecutor(threads) as pool:
        return [found for part in pool.map(work, range(threads)) for found in part]


def test_threads_get_exactly_the_limit(ledger: Ledger, database: Database) -> None:
    token = add_token(database, limit_num_downloads=37)

    found = race(ledger, token, threads=16, each=5)

    assert (found.count("granted"), found.count("download_limit")) == (37, 43)
    assert counters(database) == (37, 1, 37_000)


def _work(url: str, token: int, number: int, go: Any, answers: Any) -> None:  # noqa: ANN401 - of multiprocessing
    ledger = Ledger(driver(url))
    go.wait(60)
    found = race(ledger, token, threads=4, each=10, client=f"203.0.113.{number}")
    answers.put((found.count("granted"), len(found)))
    ledger.close()


def test_processes_get_exactly_the_limit(database_url: str, database: Database) -> None:
    add_repository(database)
    token = add_token(database, limit_num_downloads=61, limit_num_clients=4)
    spawn = multiprocessing.get_context("spawn")
    go, answers = spawn.Barrier(4), spawn.Queue()
    workers = [
        spawn.Process(target=_work, args=(database_url, token, number, go, answers))
        for number in range(4)
    ]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)

    assert sum(granted for granted, _ in found) == 61
    assert sum(asked for _, asked in found) == 160
    downloads, clients, bandwidth = counters(database)
    assert (downloads, bandwidth) == (61, 61_000)
    assert clients <= 4


_SERVE = """
import sys
from tests.factories import entry
from tests.store.test_ledger import driver, Ledger
ledger = Ledger(driver(sys.argv[1]))
number = 0
while True:
    ledger.reserve(entry(int(sys.argv[2]), filename=f"f{number}.whl"))
    number += 1
    print(number, flush=True)
"""


def test_a_killed_process_loses_no_answer_it_acknowledged(
    database_url: str, database: Database
) -> None:
    add_repository(database)
    token = add_token(database)
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, database_url, str(token)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 50:
            process.send_signal(signal.SIGKILL)
            break
    acknowledged = int((process.stdout.read().split() or [line])[-1])
    process.wait(60)
    process.stdout.close()

    counted = counters(database)[0]
    assert acknowledged <= counted <= acknowledged + 1
    assert rows(database, "SELECT count(*) FROM downloads") == [(counted,)]
    ledger = Ledger(driver(database_url))
    assert outcome(ledger.reserve(entry(token, filename="after.whl"))) == "granted"
    ledger.close()


class Stopped:
    """A driver that stops before it commits an entry for the file `SLOW`, until it may go on."""

    SLOW: Final = "slow-1.0.tar.gz"

    def __init__(self, driver: LedgerDriver) -> None:
        self.driver = driver
        self.stopped = threading.Event()
        self.may_go_on = threading.Event()

    def commit(
        self, entries: Sequence[Entry], *, waits: bool = False
    ) -> list[Receipt | Deny | StoreError]:
        if any(one.filename == self.SLOW for one in entries):
            self.stopped.set()
            self.may_go_on.wait(60)
        return self.driver.commit(entries, waits=waits)

    def cancel(self, receipt: Receipt) -> None:
        self.driver.cancel(receipt)

    def close(self) -> None:
        self.driver.close()


def test_a_forked_child_counts_on_its_own(database_url: str, database: Database) -> None:
    """Also where a thread of the parent is at it just then, which the child does not have."""
    add_repository(database)
    token = add_token(database)
    stopped = Stopped(driver(database_url))
    ledger = Ledger(stopped)
    ledger.reserve(entry(token))
    slow = threading.Thread(target=ledger.reserve, args=(entry(token, filename=Stopped.SLOW),))
    slow.start()
    assert stopped.stopped.wait(60)

    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=ledger.reserve, args=(entry(token, filename="child.whl"),))
    child.start()
    child.join(60)

    assert child.exitcode == 0
    stopped.may_go_on.set()
    slow.join(60)
    ledger.reserve(entry(token, filename="parent.whl"))
    ledger.close()
    assert counters(database)[0] == 4


Answer = tuple[int, int, int, bool]

ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2]),  # which file
        st.sampled_from([0, 1]),  # which client
        st.sampled_from([(0, 100), (0, 10), (10, 90), (50, 50), (90, 10)]),
        st.sampled_from([0, 200, 400]),  # seconds since the last
    ),
    max_size=12,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    answers=ANSWERS,
    cuts=st.lists(st.integers(1, 4), min_size=12, max_size=12),
    limits=st.tuples(*[st.none() | st.integers(0, high) for high in (4, 2, 600)]),
)
def test_any_division_into_batches_counts_alike(
    database_url: str,
    database: Database,
    answers: list[tuple[int, int, tuple[int, int], int]],
    cuts: list[int],
    limits: tuple[int | None, int | None, int | None],
) -> None:
    """One by one and in batches, the outcomes and the counters are the same."""
    with contextlib.suppress(Exception):
        add_repository(database)
    number = rows(database, "SELECT count(*) FROM tokens")[0][0]
    terms: dict[str, Any] = dict(
        zip(("limit_num_downloads", "limit_num_clients", "limit_bandwidth"), limits, strict=True)
    )
    one, many = (add_token(database, f"{name}{number}", **terms) for name in ("one", "many"))
    moment = NOW
    wanted = []
    for file, client, (start, length), pause in answers:
        moment += timedelta(seconds=pause)
        wanted.append(
            entry(
                one,
                filename=f"f{file}.whl",
                client=f"192.0.2.{client}",
                size=100,
                start=start,
                length=length,
                now=moment,
            )
        )
    keeper = driver(database_url)
    singly = [
        outcome(found)
        for item in wanted
        for found in keeper.commit([item])
        if not isinstance(found, StoreError)
    ]
    together: list[str] = []
    rest = [replace(item, token_id=many) for item in wanted]
    for cut in cuts:
        found, rest = keeper.commit(rest[:cut]) if rest else [], rest[cut:]
        together += [outcome(one) for one in found if not isinstance(one, StoreError)]
    keeper.close()

    assert together == singly
    assert book(database, many) == book(database, one)


def book(database: Database, token: int) -> list[list[tuple[Any, ...]]]:
    """All that is stored of the use of a token."""
    return [
        rows(database, f"SELECT {columns} WHERE token_id = {token} ORDER BY {order}")
        for columns, order in (
            ("since, downloads, clients, bandwidth, last_used_at FROM usage", "1"),
            ("client, since FROM clients", "1"),
            ("at, filename, client, requests, bandwidth FROM downloads", "id"),
            ("filename, client, collected FROM partial_downloads", "1, 2"),
        )
    ]


# What cannot be counted is not granted.


@pytest.fixture
def sqlite_store(tmp_path: Path, sqlite_template: Path) -> tuple[str, int]:
    """The URL of a SQLite store, and a token in it."""
    path = tmp_path / "store.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    add_repository(database)
    token = add_token(database)
    database.close()
    return f"sqlite:///{path}", token


def test_a_locked_sqlite_store_is_an_error(sqlite_store: tuple[str, int]) -> None:
    url, token = sqlite_store
    ledger = Ledger(SqliteLedger(DatabaseURL.parse(url, timeouts=Timeouts(lock=0.05))))
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            ledger.reserve(entry(token))
        other.execute("ROLLBACK")

    assert outcome(ledger.reserve(entry(token))) == "granted"
    ledger.close()


def test_a_process_that_does_not_let_go_of_its_turn_is_passed_by(
    sqlite_store: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, token = sqlite_store
    monkeypatch.setattr(lock_file, "PATIENCE", 0.05)
    ledger = Ledger(SqliteLedger(url))
    with Path(f"{url.removeprefix('sqlite:///')}.lock").open("w") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)

        assert outcome(ledger.reserve(entry(token))) == "granted"

    ledger.close()


def test_a_read_only_sqlite_store_is_an_error(
    sqlite_store: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, token = sqlite_store
    ledger = Ledger(SqliteLedger(url))
    ledger.reserve(entry(token))
    # Permissions do not bind the superuser, so SQLite itself is told.
    stack = ledger._driver._stack  # type: ignore[attr-defined]  # of this driver
    connection = stack.take()
    connection.execute("PRAGMA query_only = ON")
    stack.give_back(connection)

    with pytest.raises(StoreError, match="readonly"):
        ledger.reserve(entry(token))
    ledger.close()


@pytest.mark.parametrize("content", [None, b"no database at all" * 100], ids=["missing", "foreign"])
def test_a_sqlite_store_that_is_none_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "store.db"
    if content is not None:
        path.write_bytes(content)
    ledger = Ledger(SqliteLedger(f"sqlite:///{path}"))

    with pytest.raises(StoreError):
        ledger.reserve(entry(1))

    assert path.exists() == (content is not None)
    ledger.close()


def test_a_locked_postgres_store_is_an_error(postgres: Server, postgres_template: str) -> None:
    url = postgres.create("ledger_locked", postgres_template)
    database = Database(url)
    add_repository(database)
    token = add_token(database)
    ledger = Ledger(PostgresLedger(DatabaseURL.parse(url, timeouts=Timeouts(lock=0.05))))
    with database.begin() as unit:
        unit.tokens.zero_usage("abcdefghijkl", at=NOW)
        with pytest.raises(StoreError, match="locked"):
            ledger.reserve(entry(token))

    assert outcome(ledger.reserve(entry(token))) == "granted"
    ledger.close()
    database.close()
    postgres.drop("ledger_locked")


def test_a_read_only_postgres_store_is_an_error(postgres: Server, postgres_template: str) -> None:
    url = postgres.create("ledger_read_only", postgres_template)
    postgres.execute('ALTER DATABASE "ledger_read_only" SET default_transaction_read_only = on')
    ledger = Ledger(PostgresLedger(url))

    with pytest.raises(StoreError, match="read-only"):
        ledger.reserve(entry(1))
    ledger.close()
    postgres.drop("ledger_read_only")


@pytest.mark.parametrize(
    ("database", "problem"), [("nowhere", "does not exist"), ("template1", "lacks a table")]
)
def test_a_postgres_store_that_is_none_is_an_error(
    postgres: Server, database: str, problem: str
) -> None:
    ledger = Ledger(PostgresLedger(postgres.url(database)))

    with pytest.raises(StoreError, match=problem):
        ledger.reserve(entry(1))
    ledger.close()


def terminate(postgres: Server, database: str) -> None:
    """End every connection to a database from the server's side."""
    postgres.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608 - the test's own
    )


def test_connections_that_died_idle_are_replaced_unnoticed(
    postgres: Server, postgres_template: str
) -> None:
    url = postgres.create("ledger_lost", postgres_template)
    database = Database(url)
    add_repository(database)
    token = add_token(database)
    ledger = Ledger(PostgresLedger(url))
    assert isinstance(ledger._driver, PostgresLedger)
    stack = ledger._driver._stack
    idle = [stack.take(), stack.take()]
    for connection in idle:
        stack.give_back(connection)
    database.close()
    terminate(postgres, "ledger_lost")

    assert outcome(ledger.reserve(entry(token))) == "granted"

    assert all(connection.closed for connection in idle)
    terminate(postgres, "ledger_lost")
    assert outcome(ledger.reserve(entry(token, filename="second.whl"))) == "granted"
    ledger.close()
    assert counters(database) == (2, 1, 2000)
    database.close()
    postgres.drop("ledger_lost")


def test_a_connection_that_died_idle_takes_a_receipt_back_once(
    postgres: Server, postgres_template: str
) -> None:
    url = postgres.create("ledger_cancel", postgres_template)
    database = Database(url)
    add_repository(database)
    ledger = Ledger(PostgresLedger(url))
    receipt = reserved(ledger, entry(add_token(database)))
    database.close()
    terminate(postgres, "ledger_cancel")

    ledger.cancel(receipt)

    assert counters(database) == (0, 0, 0)
    ledger.close()
    database.close()
    postgres.drop("ledger_cancel")


@pytest.mark.parametrize("phase", ["begun", "saved"])
def test_what_may_have_been_committed_is_never_done_again(
    postgres: Server, postgres_template: str, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is ended by the server between the two halves of a transaction."""
    url = postgres.create("ledger_doubt", postgres_template)
    database = Database(url)
    add_repository(database)
    token = add_token(database)
    ledger = Ledger(PostgresLedger(url))
    outcome(ledger.reserve(entry(token, filename="first.whl")))
    database.close()
    close_book = ledger_postgres._close_book
    if phase == "saved":

        def commit_and_die(connection: Any, book: Any) -> None:  # noqa: ANN401 - as the original
            close_book(connection, book)
            terminate(postgres, "ledger_doubt")
            connection.execute("SELECT 1")

        monkeypatch.setattr(ledger_postgres, "_close_book", commit_and_die)
    else:

        def die(connection: Any, book: Any) -> None:  # noqa: ANN401 - as the original
            terminate(postgres, "ledger_doubt")
            close_book(connection, book)

        monkeypatch.setattr(ledger_postgres, "_close_book", die)

    with pytest.raises(StoreError):
        ledger.reserve(entry(token))
    ledger.close()
    assert counters(database)[0] == (2 if phase == "saved" else 1)
    database.close()
    postgres.drop("ledger_doubt")


# The combining lock, without a database.


class Scripted:
    """A driver that does what a function says."""

    def __init__(self, answer: Callable[[Sequence[Entry]], Any]) -> None:
        self.answer = answer
        self.batches: list[int] = []
        self.closed = False

    def commit(
        self, entries: Sequence[Entry], *, waits: bool = False
    ) -> list[Receipt | Deny | StoreError]:
        assert not waits
        self.batches.append(len(entries))
        found: list[Receipt | Deny | StoreError] = self.answer(entries)
        return found

    def cancel(self, receipt: Receipt) -> None:
        raise StoreError("Not here.")

    def close(self) -> None:
        self.closed = True


REFUSED = Deny(Reason.DOWNLOAD_LIMIT, "Download limit 1/1 reached")


def crowd(ledger: Ledger, size: int) -> list[str]:
    """What each of many threads is answered that arrive while the first is being served."""
    found: list[str] = []

    def ask() -> None:
        try:
            answer = ledger.reserve(entry(1))
            found.append(outcome(answer))
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread came back
            found.append(type(error).__name__)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(found)


def after_all_wait(
    ledger_of: list[Ledger], size: int, answer: Callable[[Sequence[Entry]], Any]
) -> Callable[[Sequence[Entry]], Any]:
    """Answer the first batch only when all others wait."""
    seen = threading.Event()

    def answering(entries: Sequence[Entry]) -> Any:  # noqa: ANN401 - whatever the test wants
        while not seen.is_set() and len(ledger_of[0]._lane.waiting) < size - 1:
            seen.wait(0.001)
        seen.set()
        return answer(entries)

    return answering


def crowded(size: int, answer: Callable[[Sequence[Entry]], Any]) -> tuple[list[str], list[int]]:
    made: list[Ledger] = []
    driver = Scripted(after_all_wait(made, size, answer))
    made.append(Ledger(driver))
    with mock.patch.object(ledgers, "SHARED", 60.0):  # however slow the machine is
        return crowd(made[0], size), driver.batches


def test_those_who_wait_share_the_next_transaction() -> None:
    found, batches = crowded(20, lambda entries: [REFUSED] * len(entries))

    assert found == ["download_limit"] * 20
    assert batches == [1, 19]


def test_a_batch_has_a_bound() -> None:
    found, batches = crowded(BATCH + 40, lambda entries: [REFUSED] * len(entries))

    assert found == ["download_limit"] * (BATCH + 40)
    assert batches == [1, BATCH, 39]


def unforeseen(_: Sequence[Entry]) -> None:
    raise ZeroDivisionError


def failing(_: Sequence[Entry]) -> None:
    raise StoreError("The disk is full.")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(failing, ["StoreError"] * 8, id="a-store-error"),
        pytest.param(
            unforeseen, ["StoreError"] * 6 + ["ZeroDivisionError"] * 2, id="something-unforeseen"
        ),
        pytest.param(lambda _: [], ["StoreError"] * 8, id="too-few-outcomes"),
        pytest.param(lambda _: [REFUSED] * 99, ["StoreError"] * 8, id="too-many-outcomes"),
        pytest.param(lambda entries: [None] * len(entries), ["StoreError"] * 8, id="no-outcome"),
    ],
)
def test_a_driver_that_fails_leaves_nobody_waiting(
    answer: Callable[[Sequence[Entry]], Any], expected: list[str]
) -> None:
    found, batches = crowded(8, answer)

    assert found == expected
    assert batches == [1, 7]


def test_each_is_told_its_own_error() -> None:
    found, _ = crowded(3, lambda entries: [StoreError("Gone."), *[REFUSED] * (len(entries) - 1)])

    assert found == ["StoreError", "StoreError", "download_limit"]


class Killed(BaseException):
    """As a greenlet's timeout, or a signal's handler that ends a request."""


@pytest.fixture
def killed_by_a_signal() -> Iterator[signal.Signals]:
    """A signal at which whatever the main thread does ends with `Killed`."""

    def kill(*_: object) -> None:
        raise Killed

    before = signal.signal(signal.SIGUSR1, kill)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("just_then", [False, True], ids=["before-its-turn", "at-its-turn"])
def test_one_who_is_killed_while_waiting_holds_up_nobody(
    killed_by_a_signal: signal.Signals,
    just_then: bool,  # noqa: FBT001 - a table
) -> None:
    for number in range(10):
        assert_others_are_served(killed_by_a_signal, just_then, pause=number * 0.000_05)


def assert_others_are_served(by: signal.Signals, just_then: bool, pause: float) -> None:  # noqa: FBT001 - a table
    """One request is being served, the main thread's waits, one more waits behind that."""
    main, may_go_on, is_at_it = threading.get_ident(), threading.Event(), threading.Event()
    found: list[str] = []

    def answer(entries: Sequence[Entry]) -> list[Deny]:
        is_at_it.set()
        may_go_on.wait(20)
        return [REFUSED] * len(entries)

    def ask() -> None:
        found.append(outcome(ledger.reserve(entry(1))))

    def kill() -> None:
        time.sleep(0.02)  # the main thread waits by now
        behind.start()
        time.sleep(0.02)
        if just_then:
            may_go_on.set()
            time.sleep(pause)
        signal.pthread_kill(main, by)
        time.sleep(0.02)
        may_go_on.set()

    def be_killed() -> None:
        killer.start()
        ledger.reserve(entry(1))
        time.sleep(20)  # where it was served first, the signal comes now

    ledger = Ledger(Scripted(answer))
    first, behind, killer = (threading.Thread(target=work) for work in (ask, ask, kill))
    first.start()
    assert is_at_it.wait(20)
    with pytest.raises(Killed):
        be_killed()
    for thread in (first, killer, behind):
        thread.join(20)

    assert found == ["download_limit"] * 2
    ask()
    assert found == ["download_limit"] * 3


def test_closing_and_cancelling_go_to_the_driver() -> None:
    driver = Scripted(lambda entries: [REFUSED] * len(entries))
    ledger = Ledger(driver)

    with pytest.raises(StoreError, match="Not here"):
        ledger.cancel(Receipt(entry=entry(1), repository_id=1, taken=None))  # type: ignore[arg-type]  # not looked at
    ledger.close()

    assert driver.closed


def test_a_restarted_postgres_serves_the_next_request() -> None:
    """A server of its own, since the other tests must not lose theirs."""
    with running_server() as server:
        database = Database(server.create("store"))
        database.upgrade()
        add_repository(database)
        token = add_token(database)
        database.close()
        ledger = Ledger(PostgresLedger(server.url("store")))
        ledger.reserve(entry(token))
        _run(server.folder, "pg_ctl", "-m", "fast", "-w", "stop")
        for _ in range(2):
            with pytest.raises(StoreError, match="cannot be reached"):
                ledger.reserve(entry(token))
        _run(server.folder, "pg_ctl", "-w", "-l", "log", "-o", _options(server), "start")

        assert outcome(ledger.reserve(entry(token))) == "granted"
        assert counters(database) == (1, 1, 2000)
        ledger.close()
        database.close()
