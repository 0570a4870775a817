"""Reports out of roll-ups say what all downloads ever counted say, whatever happened meanwhile."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from entitlements_core.errors import Refused
from entitlements_core.policy.credential import State
from entitlements_core.services.clock_repair import ClockRepair
from entitlements_core.services.operations import Operations
from entitlements_core.services.retention import Retention
from entitlements_core.services.rollups import Rollups
from entitlements_core.store import postgres
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseLocked
from entitlements_core.store.ledger import Ledger, Receipt
from entitlements_core.store.ledger_postgres import PostgresLedger
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.records import UsageLine
from entitlements_core.store.rollup_periods import DAILY, DAY, day_of
from entitlements_core.store.usage import DIMENSIONS
from tests.actors import person
from tests.factories import REPOSITORY, add_repository, add_token, entry, rows

START = datetime(2024, 12, 30, 22, tzinfo=UTC)
START_DAY = day_of(START)
BETA = "acme/beta"
COLUMNS = (
    "t.identifier, r.owner || '/' || r.slug, d.project, d.version, d.filename, d.client,"
    " d.user_agent, d.at, d.requests, d.bandwidth"
)
RAW = (
    f"SELECT {COLUMNS} FROM downloads d JOIN tokens t ON t.id = d.token_id"  # noqa: S608 - constants
    " JOIN repositories r ON r.id = d.repository_id"
)
SEVERAL: tuple[tuple[str, ...], ...] = (
    (),
    *((one,) for one in DIMENSIONS),
    ("token", "package"),
    ("day", "token"),
    ("package", "client"),
    ("version", "user_agent"),
    ("client", "day"),
    DIMENSIONS,
)


@dataclass
class Shop:
    """A store with three tokens, its ledger, a clock, and what was ever removed from it."""

    database: Database
    ledger: Ledger
    tokens: list[int]
    now: datetime = START
    removed: list[tuple[Any, ...]] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    @property
    def operations(self) -> Operations:
        return Operations(database=self.database, clock=self.clock)

    @property
    def rollups(self) -> Rollups:
        return Rollups(self.operations)

    @property
    def retention(self) -> Retention:
        return Retention(self.operations, window=timedelta(seconds=300))

    def reserve(self, token: int = 0, **asked: Any) -> Receipt:  # noqa: ANN401 - any field
        asked.setdefault("now", self.now)
        found = self.ledger.reserve(entry(self.tokens[token], **asked))
        assert isinstance(found, Receipt)
        self.receipts.append(found)
        return found

    def prune(self, days: int = 40) -> None:
        before = self.raw()
        self.retention.prune(timedelta(days=days), actor=person(), clock_is_right=True)
        after = self.raw()
        for row in after:
            before.remove(row)
        self.removed += before

    def raw(self) -> list[tuple[Any, ...]]:
        return rows(self.database, RAW)

    def report(self, by: Sequence[str], **asked: Any) -> tuple[UsageLine, ...]:  # noqa: ANN401 - any
        with self.database.read() as unit:
            return unit.usage.report(by, **asked)

    def expected(
        self,
        by: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        repository: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[UsageLine]:
        """The same report out of every row that was ever written."""
        found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for row in [*self.removed, *self.raw()]:
            if tokens and row[0] not in tokens:
                continue
            if repository and row[1] != repository:
                continue
            if since is not None and row[7] < to_micros(since):
                continue
            if until is not None and row[7] >= to_micros(until):
                continue
            day = f"{from_micros(row[7]):%Y-%m-%d}"
            values = dict(zip(DAILY, (*row[:7], day), strict=True))
            found[tuple(values[name] for name in by)].append(row)
        return [
            UsageLine(
                keys=key,
                downloads=len(group),
                requests=sum(row[8] for row in group),
                clients=len({row[5] for row in group}),
                bandwidth=sum(row[9] for row in group),
                last_at=from_micros(max(row[7] for row in group)),
            )
            for key, group in sorted(found.items())
        ]

    def compare(self, by: Sequence[str], **asked: Any) -> None:  # noqa: ANN401 - any choice
        assert list(self.report(by, **asked)) == self.expected(by, **asked)


def ledger_of(url: str) -> Ledger:
    return Ledger(SqliteLedger(url) if DatabaseURL.parse(url).is_sqlite else PostgresLedger(url))


@pytest.fixture
def shop(database_url: str, database: Database) -> Iterator[Shop]:
    add_repository(database)
    add_repository(database, BETA)
    tokens = [add_token(database, f"token-{one}", at=START) for one in "abc"]
    ledger = ledger_of(database_url)
    yield Shop(database, ledger, tokens)
    ledger.close()


def begin_anew(shop: Shop) -> None:
    """As it was: nothing was ever counted."""
    with shop.database.begin() as unit:
        for statement in (
            "UPDATE rollup_state SET closed_until = 0, frozen_until = 0",
            "DELETE FROM downloads",
            "DELETE FROM partial_downloads",
            "DELETE FROM clients",
            "DELETE FROM rollups",
            "DELETE FROM rollup_stale_days",
            "DELETE FROM late_downloads",
            "DELETE FROM pruned_downloads",
            f"UPDATE usage SET downloads = 0, since = {to_micros(START)}",  # noqa: S608 - a number
            "UPDATE tokens SET state = 'enabled'",
        ):
            unit.session.execute(text(statement))
    shop.now, shop.removed, shop.receipts = START, [], []


def cancel(shop: Shop, number: int) -> None:
    if shop.receipts:
        shop.ledger.cancel(shop.receipts.pop(number % len(shop.receipts)))


def delete_token(shop: Shop, letter: str) -> None:
    with shop.database.begin() as unit:
        unit.tokens.set_state(f"token-{letter}", State.DELETED, at=shop.now, by="vendor")


def count_one(shop: Shop, n: int) -> None:
    shop.reserve(
        n % 3,
        client=f"203.0.113.{n % 4}",
        filename=f"foo-1.{n % 2}.tar.gz",
        version=f"1.{n % 2}",
        project="foo" if n % 5 else "bar",
        repository=BETA if n % 7 == 0 else REPOSITORY,
        user_agent="pip" if n % 2 else "uv",
        length=1000 + n,
        size=1000 + n,
    )


STEPS: dict[str, Callable[[Shop, int], object]] = {
    "count": count_one,
    "part": lambda shop, n: shop.reserve(n % 3, start=1, length=500),
    "cancel": cancel,
    "wait": lambda shop, n: setattr(shop, "now", shop.now + timedelta(seconds=n * 7)),
    "days": lambda shop, n: setattr(shop, "now", shop.now + timedelta(days=n % 80)),
    "back": lambda shop, n: setattr(shop, "now", max(START, shop.now - timedelta(days=n % 100))),
    "catch up": lambda shop, _: shop.rollups.catch_up(),
    "rebuild": lambda shop, _: shop.rollups.rebuild(actor=person()),
    "prune": lambda shop, n: shop.prune(32 + n % 40),
    "delete": lambda shop, n: delete_token(shop, "abc"[n % 3]),
}
NAMES = st.sampled_from(["count"] * 6 + ["days"] * 3 + ["catch up", "prune"] + [*STEPS])


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(NAMES, st.integers(0, 100)), min_size=6, max_size=30),
    asked=st.lists(st.sampled_from(SEVERAL), min_size=1, max_size=3),
    days=st.tuples(st.integers(-2, 60), st.integers(1, 400)),
)
def test_reports_are_those_of_every_download_ever_written(
    shop: Shop,
    steps: list[tuple[str, int]],
    asked: list[tuple[str, ...]],
    days: tuple[int, int],
) -> None:
    begin_anew(shop)
    for name, number in steps:
        STEPS[name](shop, number)
    midnight = START.replace(hour=0)
    since = midnight + timedelta(days=days[0])
    until = since + timedelta(days=days[1])
    for by in asked:
        shop.compare(by)
        shop.compare(by, tokens=["token-a"])
        shop.compare(by, repository=BETA)
        shop.compare(by, since=since, until=until)
        shop.compare(by, since=since, tokens=["token-a", "token-c"], repository=REPOSITORY)
        try:
            found = shop.report(by, since=since + timedelta(hours=22, microseconds=1))
        except Refused:
            with shop.database.read() as unit:
                assert unit.rollups.state().frozen * DAY > to_micros(since)
        else:
            assert list(found) == shop.expected(
                by, since=since + timedelta(hours=22, microseconds=1)
            )
    assert shop.rollups.check() == ()


@pytest.fixture
def closed(shop: Shop) -> Shop:
    """Some downloads of three days, two of which are summed up."""
    for day in range(3):
        for number in range(4):
            count_one(shop, number + day)
        shop.now += timedelta(days=1)
    shop.now -= timedelta(hours=20)
    assert shop.rollups.catch_up() == 2
    return shop


def test_a_report_right_after_a_download_has_it(closed: Shop) -> None:
    for by in SEVERAL:
        closed.compare(by)
    closed.reserve(client="198.51.100.1")
    for by in SEVERAL:
        closed.compare(by)


@pytest.mark.parametrize("what", ["count", "ride", "cancel", "cancel a ride", "count and cancel"])
def test_what_changes_in_a_day_that_is_over_is_noticed(closed: Shop, what: str) -> None:
    """By a clock that is behind, or one that waited for long."""
    receipt = closed.receipts[0]
    if what == "count":
        closed.reserve(client="198.51.100.1", now=START)
    elif what == "ride":
        closed.ledger.reserve(receipt.entry)
    elif what == "cancel":
        closed.ledger.cancel(receipt)
    else:
        entry_ = receipt.entry if what == "cancel a ride" else None
        found = (
            closed.ledger.reserve(entry_)
            if entry_
            else closed.reserve(client="198.51.100.1", now=START)
        )
        assert isinstance(found, Receipt)
        closed.ledger.cancel(found)
    assert closed.rollups.report().stale == 1
    for by in SEVERAL:
        closed.compare(by)
    assert closed.rollups.catch_up() == 1
    assert closed.rollups.report().stale == 0
    assert closed.rollups.check() == ()
    for by in SEVERAL:
        closed.compare(by)


def test_what_comes_late_to_days_that_were_pruned_is_counted(closed: Shop) -> None:
    closed.now += timedelta(days=60)
    closed.prune()
    assert closed.raw() == []
    late = closed.reserve(client="198.51.100.1", now=START)
    for by in SEVERAL:
        closed.compare(by)
        closed.compare(by, tokens=["token-a"], repository=REPOSITORY)
    closed.ledger.cancel(late)
    for by in SEVERAL:
        closed.compare(by)
    closed.reserve(client="198.51.100.1", now=START)
    closed.ledger.reserve(closed.receipts[-1].entry)
    closed.prune()
    assert closed.raw() == []
    for by in SEVERAL:
        closed.compare(by)
    assert closed.rollups.check() == ()
    assert closed.rollups.rebuild(actor=person()) == 0
    for by in SEVERAL:
        closed.compare(by)


def test_a_report_that_begins_amid_a_pruned_day_is_refused(closed: Shop) -> None:
    closed.now += timedelta(days=60)
    closed.prune()
    midnight = START.replace(hour=0)
    for asked in (
        {"since": START},
        {"until": START + timedelta(seconds=1)},
        {"since": START, "until": START + timedelta(seconds=1)},
    ):
        with pytest.raises(Refused, match="2024-12-30, only the sums of the whole day"):
            closed.report(["token"], **asked)
    closed.compare(["token"], since=midnight, until=midnight + timedelta(days=1))
    # A day without a download has no part that is unknown.
    closed.compare(["token"], since=START - timedelta(days=3, hours=1))
    closed.compare(["token"], since=START + timedelta(days=9))


def test_longer_periods_are_used(shop: Shop) -> None:
    for day in (0, 1, 2, 3, 10, 18, 30, 60, 120, 400, 430, 800):
        count_one(shop, day)
        shop.now = START + timedelta(days=day)
    shop.rollups.catch_up()
    with shop.database.read() as unit:
        spans = unit.rollups.spans(("repository",))
    assert {past - first for first, past in spans} >= {365, 31, 30, 28, 8, 7, 6, 4}
    for by in SEVERAL:
        shop.compare(by)
        shop.compare(by, tokens=["token-a", "token-c"])
        shop.compare(by, since=START + timedelta(days=5, hours=3), repository=BETA)
    assert shop.rollups.check() == ()
    assert shop.rollups.compare() == ()
    assert shop.rollups.rebuild(actor=person()) == 11
    assert shop.rollups.check() == ()


DAMAGE = {
    "another day": """
        UPDATE rollups SET body = (SELECT body FROM rollups WHERE kind = 'daily'
        AND first_day = 20087) WHERE kind = 'daily' AND first_day = 20088
    """,
    "no day": "DELETE FROM rollups WHERE kind = 'daily' AND first_day = 20087",
    "sums": """
        UPDATE rollups SET bandwidth = bandwidth + 1 WHERE kind = 'daily' AND first_day = 20088
    """,
    "another month": """
        UPDATE rollups SET body = (SELECT body FROM rollups WHERE kind = 'repository'
        AND past_day = first_day + 31 ORDER BY first_day LIMIT 1)
        WHERE kind = 'repository' AND past_day > first_day + 200
    """,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_and_mended(shop: Shop, damage: str) -> None:
    for day in (0, 1, 2, 40, 400):
        shop.now = START + timedelta(days=day)
        count_one(shop, day)
    shop.rollups.catch_up()
    assert (shop.rollups.check(), shop.rollups.compare()) == ((), ())
    with shop.database.begin() as unit:
        assert unit.session.execute(text(damage)).rowcount  # type: ignore[attr-defined]
    found = shop.rollups.check()
    assert found
    assert {*shop.rollups.compare()} <= {*found}
    assert all("is not the sum of its" in line for line in found)
    shop.rollups.rebuild(actor=person())
    assert (shop.rollups.check(), shop.rollups.compare()) == ((), ())
    for by in SEVERAL:
        shop.compare(by)


def test_downloads_in_the_future_are_in_reports_under_their_date(closed: Shop) -> None:
    ahead = closed.now + timedelta(days=400)
    closed.reserve(client="198.51.100.1", now=ahead)
    closed.rollups.catch_up()
    (line,) = closed.report(["day"], since=closed.now)
    assert line.keys == (f"{ahead:%Y-%m-%d}",)
    for by in SEVERAL:
        closed.compare(by)
    # When that time comes, they are summed up as any others.
    closed.now = ahead + timedelta(days=2)
    assert closed.rollups.catch_up() == 2
    for by in SEVERAL:
        closed.compare(by)
    assert closed.rollups.check() == ()


def test_a_clock_that_is_ahead_sums_up_too_early_and_nothing_is_lost(closed: Shop) -> None:
    right = closed.now
    closed.now += timedelta(days=400)
    assert closed.rollups.catch_up() == 1  # today, which is not over
    closed.now = right
    for number in range(9):
        count_one(closed, number)
    closed.now += timedelta(days=1)
    count_one(closed, 1)
    for by in SEVERAL:
        closed.compare(by)
    closed.rollups.catch_up()
    for by in SEVERAL:
        closed.compare(by)
    assert closed.rollups.check() == ()


def test_what_was_pruned_by_a_clock_that_was_ahead_goes_on_counting(closed: Shop) -> None:
    """Also today's, which is frozen then."""
    right = closed.now
    closed.now += timedelta(days=900)
    closed.prune()
    assert closed.raw() == []
    closed.now = right
    mending = ClockRepair(closed.operations)
    mending.repair(actor=person())
    assert not mending.preview().is_mendable
    for number in range(9):
        count_one(closed, number)
    for by in SEVERAL:
        closed.compare(by)
    closed.now += timedelta(days=40)
    count_one(closed, 1)
    closed.rollups.catch_up()
    closed.prune(32)
    for by in SEVERAL:
        closed.compare(by)
    assert closed.rollups.check() == ()


def test_who_sums_up_a_day_that_changes_meanwhile_does_not_win(closed: Shop) -> None:
    """The change is noticed between the reading and the writing."""
    closed.reserve(client="198.51.100.1", now=START)
    rollups = closed.rollups
    database = closed.database

    class Interrupted(Database):
        def begin(self) -> Any:  # noqa: ANN401 - as the base class
            closed.reserve(client="198.51.100.2", now=START)
            closed.reserve(client=f"198.51.100.{len(closed.receipts)}", now=START)
            return super().begin()

    other = Interrupted(database.url)
    Rollups(Operations(database=other, clock=closed.clock))._sum_up(START_DAY)
    other.close()
    assert rollups.report().stale == 1
    for by in SEVERAL:
        closed.compare(by)
    rollups.catch_up()
    assert rollups.check() == ()


def test_two_who_sum_up_at_once_agree(closed: Shop) -> None:
    """The one who read first writes last, and is not believed."""
    closed.reserve(client="198.51.100.1", now=START)
    rollups = closed.rollups

    class Late(Database):
        def begin(self) -> Any:  # noqa: ANN401 - as the base class
            closed.reserve(client="198.51.100.2", now=START)
            rollups._sum_up(START_DAY)
            return super().begin()

    other = Late(closed.database.url)
    Rollups(Operations(database=other, clock=closed.clock))._sum_up(START_DAY)
    other.close()
    assert rollups.report().stale == 0
    assert rollups.check() == ()
    for by in SEVERAL:
        closed.compare(by)


def test_catching_up_beside_many_who_count(closed: Shop, database_url: str) -> None:
    """Of a day that is over, by clocks that are behind; each on a connection of its own."""
    ledgers = [ledger_of(database_url) for _ in range(4)]
    done = threading.Event()

    def count(place: int) -> None:
        for number in range(40):
            client = f"198.51.{place}.{number % 5}"
            now = START + timedelta(minutes=number)
            found = ledgers[place].reserve(entry(closed.tokens[place % 3], client=client, now=now))
            assert isinstance(found, Receipt)
            if number % 7 == 0:
                ledgers[place].cancel(found)

    def sum_up() -> None:
        database = Database(database_url)
        while not done.is_set():
            Rollups(Operations(database=database, clock=closed.clock)).catch_up()
        database.close()

    with ThreadPoolExecutor(6) as pool:
        summing = [pool.submit(sum_up) for _ in range(2)]
        for one in [pool.submit(count, place) for place in range(4)]:
            one.result()
        closed.compare(["token", "client"])
        done.set()
        for one in summing:
            one.result()
    for ledger in ledgers:
        ledger.close()
    for by in SEVERAL:
        closed.compare(by)
    closed.rollups.catch_up()
    assert closed.rollups.check() == ()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_counts_without_an_end_is_not_waited_for(shop: Shop) -> None:
    """A row that is not committed yet is of a day that is not taken as over."""
    count_one(shop, 1)
    shop.now += timedelta(days=3)
    count_one(shop, 2)
    with closing(postgres.connect(shop.database.url, in_blocks=True)) as slow:
        slow.execute(
            "INSERT INTO downloads (at, token_id, repository_id, project, version, filename,"
            " client, user_agent, requests, bandwidth) SELECT at + 1, token_id, repository_id,"
            " 'slow', version, filename, client, user_agent, requests, bandwidth FROM downloads"
            " ORDER BY at LIMIT 1"
        )
        begun = time.monotonic()
        with pytest.raises(DatabaseLocked):
            shop.rollups.catch_up()
        assert time.monotonic() - begun < 3
        count_one(shop, 3)  # and nobody waits for us
        for by in SEVERAL:
            shop.compare(by)
        slow.commit()
    for by in SEVERAL:
        shop.compare(by)
    shop.rollups.catch_up()
    assert shop.rollups.check() == ()
    for by in SEVERAL:
        shop.compare(by)
    assert shop.report(["package"], since=START, until=START + timedelta(days=1))[-1].keys == (
        "slow",
    )


def test_a_store_of_an_earlier_schema_with_downloads(shop: Shop) -> None:
    """What was counted before there were roll-ups, and by a server that does not know them."""
    from alembic import command

    from entitlements_core.store import migrate

    for number in range(30):
        count_one(shop, number)
        shop.now += timedelta(days=1)
    expected = {by: shop.expected(by) for by in SEVERAL}
    with shop.database.begin() as unit:
        command.downgrade(migrate._config(unit.session.connection()), "0004")
    count_one(shop, 3)
    shop.database.upgrade()
    assert shop.database.check() == ()
    for by in SEVERAL:
        assert expected[by] != shop.expected(by)
        shop.compare(by)
    count_one(shop, 4)
    shop.now += timedelta(days=2)
    count_one(shop, 5)
    assert shop.rollups.catch_up() == 31
    for by in SEVERAL:
        shop.compare(by)
