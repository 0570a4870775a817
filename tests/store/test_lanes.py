"""Who waits for the counters, for how long, and who does not have to."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from entitlements_core.errors import StoreError
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.store import ledger as ledgers
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseLocked
from entitlements_core.store.ledger import Contended, Entry, Ledger, Receipt
from entitlements_core.store.ledger_postgres import PostgresLedger
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.lock_file import LockFile
from entitlements_core.store.timeouts import Timeouts
from tests.factories import NOW, add_repository, add_token, entry, rows
from tests.postgres import Server

DENIED = Deny(Reason.DOWNLOAD_LIMIT, "Download limit 1/1 reached")


class Held:
    """A driver whose tokens may be held by somebody else; a held one is waited for."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.free = threading.Event()
        self.silent = threading.Event()
        self.silent.set()
        self.fails = False
        self.batches: list[tuple[bool, list[int]]] = []
        self.cancelled: list[Receipt] = []
        self.grants: Receipt | None = None
        self.stops_at = 0
        self.goes_on = threading.Event()

    def commit(
        self, entries: Sequence[Entry], *, waits: bool = False
    ) -> list[Receipt | Deny | StoreError]:
        self.batches.append((waits, [one.token_id for one in entries]))
        assert self.silent.wait(30)
        if len(self.batches) == self.stops_at:
            assert self.goes_on.wait(30)
        if waits:
            assert self.free.wait(30)
        if self.fails:
            raise DatabaseLocked("The store is locked.")
        return [
            Contended("held") if one.token_id in self.held and not waits else self.grants or DENIED
            for one in entries
        ]

    def cancel(self, receipt: Receipt) -> None:
        self.cancelled.append(receipt)

    def close(self) -> None:
        pass


@pytest.fixture
def driver() -> Iterator[Held]:
    driver = Held()
    yield driver
    driver.free.set()
    driver.silent.set()
    driver.goes_on.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "SHARED", 0.3)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def ask(pool: ThreadPoolExecutor, ledger: Ledger, token: int) -> "Future[Receipt | Deny]":
    return pool.submit(ledger.reserve, entry(token))


def test_those_who_wait_are_told_together_and_one_waits_on(
    driver: Held, pool: ThreadPoolExecutor
) -> None:
    ledger = Ledger(driver)
    driver.silent.clear()
    began = time.monotonic()
    first = ask(pool, ledger, 1)
    until(lambda: len(driver.batches) == 1)
    others = [ask(pool, ledger, token) for token in range(2, 10)]
    for one in others:
        with pytest.raises(DatabaseLocked):
            one.result(20)
    assert time.monotonic() - began < 5
    assert not first.done()
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(DatabaseLocked):
            ledger.reserve(entry(3))
    assert time.monotonic() - began < 0.3

    driver.silent.set()
    assert first.result(20) is DENIED
    assert ledger.reserve(entry(3)) is DENIED
    assert driver.batches == [(False, [1]), (False, [3])]  # nobody who left was counted


def test_after_a_failure_one_tries_and_the_others_are_told_at_once(
    driver: Held, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(driver)
    driver.fails = True
    driver.silent.clear()
    first = ask(pool, ledger, 1)
    time.sleep(0.4)
    driver.silent.set()
    with pytest.raises(DatabaseLocked):
        first.result(20)

    driver.silent.clear()
    second = ask(pool, ledger, 1)
    until(lambda: len(driver.batches) == 2)
    began = time.monotonic()
    with pytest.raises(DatabaseLocked):
        ledger.reserve(entry(2))
    assert time.monotonic() - began < 0.2
    driver.silent.set()
    with pytest.raises(DatabaseLocked):
        second.result(20)

    monkeypatch.setattr(ledgers, "FORGIVEN", 0.0)
    driver.fails = False
    driver.silent.clear()
    time.sleep(0.01)
    third = ask(pool, ledger, 1)
    until(lambda: len(driver.batches) == 3)
    fourth = ask(pool, ledger, 2)
    time.sleep(0.05)
    driver.silent.set()
    assert third.result(20) is fourth.result(20) is DENIED


def test_what_was_counted_for_one_who_left_is_taken_back(
    driver: Held, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry is in the leader's hands when it is told that it waits in vain."""
    monkeypatch.setattr(ledgers, "SHARED", 1.0)
    ledger = Ledger(driver)
    driver.silent.clear()
    first = ask(pool, ledger, 1)
    until(lambda: len(driver.batches) == 1)
    others = [ask(pool, ledger, 2), ask(pool, ledger, 3)]
    until(lambda: len(ledger._lane.waiting) == 2)
    receipt = Receipt(entry=entry(5), repository_id=1, taken=None)  # type: ignore[arg-type]  # not looked at
    driver.grants, driver.stops_at = receipt, 2
    driver.silent.set()
    first.result(20)

    until(lambda: any(one.done() for one in others))
    (left,) = (one for one in others if one.done())
    with pytest.raises(DatabaseLocked):
        left.result()
    assert driver.cancelled == []
    driver.goes_on.set()
    (leader,) = (one for one in others if one is not left)
    assert leader.result(20) is receipt
    assert [sorted(tokens) for _, tokens in driver.batches] == [[1], [2, 3]]
    assert driver.cancelled == [receipt]


def test_a_held_token_holds_up_itself_only(driver: Held, pool: ThreadPoolExecutor) -> None:
    ledger = Ledger(driver)
    driver.held = {7}
    waiting = [ask(pool, ledger, 7) for _ in range(5)]
    until(lambda: (True, [7]) in [(waits, tokens[:1]) for waits, tokens in driver.batches])
    for token in range(1, 60):
        if token != 7:
            assert ledger.reserve(entry(token)) is DENIED
    driver.free.set()
    assert [one.result(20) for one in waiting] == [DENIED] * 5
    assert ledger._apart == {}
    assert ledger.reserve(entry(7)) is DENIED


def test_the_lane_of_a_token_that_stays_held_is_gone_on_with(
    driver: Held, pool: ThreadPoolExecutor
) -> None:
    ledger = Ledger(driver)
    driver.held, driver.fails = {7}, False

    def failing(entries: Sequence[Entry], *, waits: bool = False) -> list[StoreError]:
        driver.batches.append((waits, [one.token_id for one in entries]))
        if waits:
            raise DatabaseLocked("held for too long")
        return [Contended("held") for _ in entries]

    driver.commit = failing  # type: ignore[method-assign, assignment]  # fails, as a real one
    for _ in range(3):
        with pytest.raises(DatabaseLocked):
            ask(pool, ledger, 7).result(20)
    # The first found out; the next ones hold nobody else up to learn it again.
    assert [waits for waits, _ in driver.batches] == [False, True, True, True]


# The same on real databases.


@pytest.fixture
def held_store(postgres: Server, postgres_template: str) -> Iterator[tuple[str, int, int]]:
    """The URL of a PostgreSQL store, and two tokens in it."""
    url = postgres.create("lanes", postgres_template)
    database = Database(url)
    add_repository(database)
    tokens = [add_token(database, identifier=f"token{n}abcdef") for n in range(2)]
    database.close()
    yield url, tokens[0], tokens[1]
    postgres.drop("lanes")


@pytest.mark.parametrize("table", ["usage WHERE token_id", "tokens WHERE id"])
def test_a_row_that_somebody_locks(
    postgres: Server, held_store: tuple[str, int, int], table: str
) -> None:
    url, held, free = held_store
    driver = PostgresLedger(DatabaseURL.parse(url, timeouts=Timeouts(lock=0.5)))
    ledger = Ledger(driver)
    place = f"host={postgres.folder} port={postgres.port} user=postgres dbname=lanes"
    with psycopg.connect(place) as somebody:
        somebody.execute(f"SELECT 1 FROM {table} = {held} FOR UPDATE".encode())  # noqa: S608 - the test's own
        began = time.monotonic()
        found = driver.commit([entry(held), entry(free), entry(held), entry(free)])
        assert time.monotonic() - began < 0.4
        assert [type(one) for one in found] == [Contended, Receipt, Contended, Receipt]
        if table.startswith("usage"):
            with pytest.raises(DatabaseLocked):
                ledger.reserve(entry(held))
            assert isinstance(ledger.reserve(entry(free, filename="second.whl")), Receipt)
    assert isinstance(ledger.reserve(entry(held)), Receipt)
    ledger.close()
    database = Database(url)
    used = rows(database, "SELECT token_id, downloads FROM usage ORDER BY token_id")
    assert used == [(held, 1), (free, 2 if table.startswith("usage") else 1)]
    database.close()


def test_a_locked_sqlite_store_ends_the_wait_of_all(
    tmp_path: Path, sqlite_template: Path, pool: ThreadPoolExecutor
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    add_repository(database)
    token = add_token(database)
    ledger = Ledger(
        SqliteLedger(DatabaseURL.parse(f"sqlite:///{path}", timeouts=Timeouts(lock=1.0)))
    )
    with database.begin() as unit:
        unit.tokens.zero_usage("abcdefghijkl", at=NOW)
        began = time.monotonic()
        asked = [ask(pool, ledger, token) for _ in range(12)]
        for one in asked:
            with pytest.raises(StoreError, match=r"locked|held by another"):
                one.result(20)
        assert time.monotonic() - began < 1.0 + 2.0
    assert isinstance(ledger.reserve(entry(token)), Receipt)
    ledger.close()
    database.close()


def test_a_turn_that_was_waited_for_in_vain_is_not_waited_for_again(tmp_path: Path) -> None:
    first, second = LockFile(tmp_path / "lock"), LockFile(tmp_path / "lock")
    with first.held():
        began = time.monotonic()
        with second.held(within=0.5):
            assert 0.5 <= time.monotonic() - began < 2
        began = time.monotonic()
        with second.held(within=5.0):
            assert time.monotonic() - began < 1
    for _ in range(2):
        with second.held(within=0.5):
            pass
    with first.held():
        began = time.monotonic()
        with second.held(within=0.5):
            assert time.monotonic() - began >= 0.5
    first.close()
    second.close()
