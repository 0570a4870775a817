"""Reports out of roll-ups say what all downloads ever counted say, whatever happened meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from entitlements_core.errors import Refused
from entitlements_core.policy.credential import State
from entitlements_core.services.retention import Retention
from entitlements_core.services.rollups import Rollups
from entitlements_core.store.address import Address
from entitlements_core.store.database import Database
from entitlements_core.store.ledger import Ledger, Receipt
from entitlements_core.store.ledger_postgres import PostgresLedger
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.records import UsageLine
from entitlements_core.store.rollup_periods import DAILY, DAY
from entitlements_core.store.usage import DIMENSIONS
from tests.factories import REPOSITORY, add_repository, add_token, entry, rows

START = datetime(2024, 12, 30, 22, tzinfo=UTC)
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
    def rollups(self) -> Rollups:
        return Rollups(database=self.database, clock=self.clock)

    @property
    def retention(self) -> Retention:
        return Retention(database=self.database, clock=self.clock, window=timedelta(seconds=300))

    def reserve(self, token: int = 0, **asked: Any) -> Receipt:  # noqa: ANN401 - any field
        asked.setdefault("now", self.now)
        found = self.ledger.reserve(entry(self.tokens[token], **asked))
        assert isinstance(found, Receipt)
        self.receipts.append(found)
        return found

    def prune(self, days: int = 40) -> None:
        before = self.raw()
        self.retention.prune(timedelta(days=days), actor="vendor")
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
    return Ledger(SqliteLedger(url) if Address.parse(url).is_sqlite else PostgresLedger(url))


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


STEPS: dict[str, Callable[[Shop, int], object]] = {
    "count": lambda shop, n: shop.reserve(
        n % 3,
        client=f"203.0.113.{n % 4}",
        filename=f"foo-1.{n % 2}.tar.gz",
        version=f"1.{n % 2}",
        project="foo" if n % 5 else "bar",
        repository=BETA if n % 7 == 0 else REPOSITORY,
        user_agent="pip" if n % 2 else "uv",
        length=1000 + n,
        size=1000 + n,
    ),
    "part": lambda shop, n: shop.reserve(n % 3, start=1, length=500),
    "cancel": cancel,
    "wait": lambda shop, n: setattr(shop, "now", shop.now + timedelta(seconds=n * 7)),
    "days": lambda shop, n: setattr(shop, "now", shop.now + timedelta(days=n % 80)),
    "back": lambda shop, n: setattr(shop, "now", max(START, shop.now - timedelta(days=n % 100))),
    "catch up": lambda shop, _: shop.rollups.catch_up(),
    "rebuild": lambda shop, _: shop.rollups.rebuild(actor="vendor"),
    "prune": lambda shop, n: shop.prune(32 + n % 40),
    "delete": lambda shop, n: delete_token(shop, "abc"[n % 3]),
}
NAMES = st.sampled_from(["count"] * 8 + ["days"] * 4 + ["cancel"] * 2 + [*STEPS])


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(NAMES, st.integers(0, 100)), max_size=30),
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
