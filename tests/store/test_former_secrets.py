"""Whether a former secret is still used: noted with the count, and for nobody else's money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import TokenGrant
from entitlements_core.store import ledger_postgres, postgres_stack
from entitlements_core.store.database import Database
from entitlements_core.store.ledger import Entry, Ledger, LedgerDriver, Receipt
from entitlements_core.store.moments import to_micros
from entitlements_core.store.prepared_statements import run_prepared
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.records import FormerSecret, Repository
from entitlements_core.store.store_file import StoreConnection
from entitlements_core.store.unit_of_work import UnitOfWork
from tests.factories import NOW, REPOSITORY, add_repository, add_token, entry, rows
from tests.store.test_ledger import OTHER_CLIENT, OTHER_FILE, driver

TOKEN = "abcdefghijkl"
OTHER_TOKEN = "mnopqrstuvwx"
OTHER_REPOSITORY = "acme/beta"
FIRST, SECOND, THIRD = b"\x00first" * 4, b"s" * 32, b"t\xff" * 16
HOUR = timedelta(hours=1)
END = NOW + 48 * HOUR


@dataclass
class Store:
    """A store with two repositories and one token, whose secret opens both."""

    database: Database
    reader: CredentialReader
    driver: LedgerDriver
    ledger: Ledger
    token_id: int
    said: list[str] = field(default_factory=list)

    def refresh(self, digest: bytes, until: datetime | None = END, at: datetime = NOW) -> None:
        with self.database.begin() as unit:
            both = [REPOSITORY, OTHER_REPOSITORY]
            unit.secrets.put(TOKEN, both, digest, sealed=None, at=at, previous_until=until)

    def wanted(self, digest: bytes, **changes: Any) -> Entry:  # noqa: ANN401 - any field
        """What the request path would have counted for a secret, looked up as it would."""
        now, repository = changes.get("now", NOW), changes.get("repository", REPOSITORY)
        found = self.reader.find(digest, repository, now)
        assert found is not None
        return entry(found.id, former=found.former, **changes)

    def use(self, digest: bytes, **changes: Any) -> Receipt | Deny:  # noqa: ANN401 - any field
        return self.ledger.reserve(self.wanted(digest, **changes))

    def former(self, token: str = TOKEN, at: datetime = NOW) -> list[datetime | None]:
        with self.database.read() as unit:
            return [one.last_used_at for one in unit.secrets.former(token, at=at)]

    def noted(self) -> dict[bytes, int]:
        found = rows(self.database, "SELECT digest, last_used_at FROM secrets")
        return {bytes(digest): used for digest, used in found if used is not None}


@pytest.fixture
def store(database_url: str, database: Database) -> Iterator[Store]:
    add_repository(database)
    add_repository(database, OTHER_REPOSITORY)
    token = add_token(database)
    with database.begin() as unit:
        unit.tokens.set_grant(TOKEN, TokenGrant(repository=OTHER_REPOSITORY))
    reader, keeper = CredentialReader(database_url), driver(database_url)
    made = Store(database, reader, keeper, Ledger(keeper), token)
    made.refresh(FIRST, None)
    yield made
    reader.close()
    keeper.close()


def test_the_reader_tells_a_former_secret_from_the_current_one(store: Store) -> None:
    for _ in range(2):  # read, and remembered
        found = store.reader.find(FIRST, REPOSITORY, NOW)
        assert found is not None
        assert found.former is None

    store.refresh(SECOND)

    for _ in range(2):
        former = store.reader.find(FIRST, REPOSITORY, NOW)
        current = store.reader.find(SECOND, REPOSITORY, NOW)
        named = store.reader.by_identifier(TOKEN, REPOSITORY)
        assert former is not None
        assert current is not None
        assert named is not None
        assert (former.former, current.former, named.former) == (1, None, None)


def test_a_use_is_noted_of_a_former_secret_alone(store: Store) -> None:
    store.use(FIRST)
    assert (store.former(), store.noted()) == ([], {})

    store.refresh(SECOND)
    store.use(SECOND, now=NOW + HOUR)
    assert store.former() == [None]

    store.use(FIRST, now=NOW + 2 * HOUR)
    store.use(SECOND, now=NOW + 3 * HOUR)
    assert store.former() == [NOW + 2 * HOUR]
    store.use(FIRST, now=NOW + 4 * HOUR, **OTHER_FILE)
    assert store.former() == [NOW + 4 * HOUR]
    assert set(store.noted()) == {FIRST}


def test_it_is_noted_for_whatever_was_admitted(store: Store) -> None:
    store.refresh(SECOND)
    store.use(SECOND, **OTHER_CLIENT)
    answers: list[dict[str, Any]] = [OTHER_CLIENT, {"start": 500, "length": 10}]
    for number, asked in enumerate(answers, 1):
        moment = NOW + timedelta(seconds=number)
        assert isinstance(store.use(FIRST, **asked, now=moment), Receipt)
        assert store.former() == [moment]  # of one that rides on a download, and of a range
    with store.database.begin() as unit:
        unit.session.execute(text("UPDATE tokens SET limit_num_downloads = 0"))

    assert isinstance(store.use(FIRST, **OTHER_FILE, now=NOW + HOUR), Deny)

    assert store.former() == [NOW + timedelta(seconds=2)]


def test_several_former_secrets_are_told_apart(store: Store) -> None:
    store.refresh(SECOND, NOW + 3 * HOUR)
    store.use(FIRST, now=NOW + HOUR)
    store.refresh(THIRD, NOW + 5 * HOUR)

    with store.database.read() as unit:
        found = unit.secrets.former(TOKEN, at=NOW)
        later = unit.secrets.former(TOKEN, at=NOW + 3 * HOUR)

    assert found == (
        FormerSecret(valid_until=NOW + 3 * HOUR, last_used_at=NOW + HOUR),
        FormerSecret(valid_until=NOW + 5 * HOUR),
    )
    assert later == found[1:]
    store.use(SECOND, now=NOW + 2 * HOUR)
    assert store.former() == [NOW + HOUR, NOW + 2 * HOUR]


def test_the_last_use_in_any_repository_is_the_last(store: Store) -> None:
    store.refresh(SECOND)
    store.use(FIRST, now=NOW + 2 * HOUR)
    store.use(FIRST, now=NOW + HOUR, repository=OTHER_REPOSITORY)
    assert store.former() == [NOW + 2 * HOUR]
    store.use(FIRST, now=NOW + 3 * HOUR, repository=OTHER_REPOSITORY)
    assert store.former() == [NOW + 3 * HOUR]


def test_secrets_of_several_origins_are_told_apart_in_a_further_repository(store: Store) -> None:
    add_repository(store.database, "acme/third")
    with store.database.begin() as unit:
        for digest, repository in ((SECOND, REPOSITORY), (THIRD, OTHER_REPOSITORY)):
            unit.secrets.drop(TOKEN, repository)
            name = f"origin{digest[:1].decode()}xxxxx"
            add_origin(unit, name, digest, repository)
            unit.secrets.copy(name, TOKEN, repository, at=NOW, origin=f"{repository}-origin")
        unit.tokens.set_grant(TOKEN, TokenGrant(repository="acme/third"))
        unit.secrets.extend(TOKEN, "acme/third", at=NOW)

    store.use(SECOND, repository="acme/third", now=NOW + HOUR)

    assert store.noted() == {SECOND: to_micros(NOW + HOUR)}


def add_origin(unit: UnitOfWork, identifier: str, digest: bytes, repository: str) -> None:
    """A token of another repository whose former secret is `digest`."""
    origin = f"{repository}-origin"
    unit.repositories.add(Repository(name=origin, created_at=NOW))
    terms = Terms(name="Origin")
    unit.tokens.insert(
        terms,
        identifier=identifier,
        kind=CredentialKind.STANDARD,
        state=State.ENABLED,
        user="",
        at=NOW,
        by="v",
    )
    unit.tokens.set_grant(identifier, TokenGrant(repository=origin))
    unit.secrets.put(identifier, [origin], digest, sealed=None, at=NOW)
    unit.secrets.put(
        identifier, [origin], digest[::-1] + b"n", sealed=None, at=NOW, previous_until=END
    )


def test_each_of_a_batch_is_noted(store: Store) -> None:
    store.refresh(SECOND)
    store.refresh(THIRD)
    moments = {FIRST: NOW + HOUR, SECOND: NOW + 2 * HOUR, THIRD: NOW + 3 * HOUR}
    batch = [store.wanted(digest, now=now) for digest, now in moments.items()]

    outcomes = store.driver.commit([*batch, store.wanted(FIRST, now=NOW + 4 * HOUR)])

    assert [type(one) for one in outcomes] == [Receipt] * 4
    assert set(store.noted()) == {FIRST, SECOND}
    assert set(store.former()) == {NOW + 4 * HOUR, NOW + 2 * HOUR}


def test_what_a_secret_was_is_forgotten_when_it_is_current_again(store: Store) -> None:
    store.refresh(SECOND)
    asked_before = store.wanted(FIRST, now=NOW + HOUR)
    store.use(FIRST)
    store.refresh(FIRST, None)

    store.ledger.reserve(asked_before)

    assert store.noted() == {}
    store.refresh(SECOND)
    assert store.former() == [None]


def test_a_use_under_another_token_is_not_taken_over(store: Store) -> None:
    store.refresh(SECOND, NOW + HOUR)
    store.use(FIRST)
    add_token(store.database, OTHER_TOKEN)
    with store.database.begin() as unit:
        later = NOW + 2 * HOUR
        unit.secrets.put(OTHER_TOKEN, [REPOSITORY], FIRST, sealed=None, at=later)
        unit.secrets.put(
            OTHER_TOKEN, [REPOSITORY], THIRD, sealed=None, at=later, previous_until=END
        )
    assert store.former(OTHER_TOKEN, at=later) == [None]


@pytest.fixture
def listening(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store, which writes down every statement of the request path."""

    def opened(
        self: StoreConnection,
        *given: Any,  # noqa: ANN401 - sqlite3's
        __original: Callable[..., None] = StoreConnection.__init__,
        **named: Any,  # noqa: ANN401 - sqlite3's
    ) -> None:
        __original(self, *given, **named)
        self.set_trace_callback(lambda said: store.said.append(" ".join(said.split()[:3])))

    def exchanged(connection: Any, *questions: Any) -> Any:  # noqa: ANN401 - as `run_prepared`
        store.said.extend(" ".join(statement.split()[:3]) for statement, _ in questions)
        return run_prepared(connection, *questions)

    monkeypatch.setattr(StoreConnection, "__init__", opened)
    for module in (ledger_postgres, postgres_stack):
        monkeypatch.setattr(module, "run_prepared", exchanged)
    return store


def test_who_has_the_current_secret_pays_nothing(listening: Store) -> None:
    store = listening

    def statements(digest: bytes, number: int) -> list[str]:
        changes = {"filename": f"foo-1.{number}-py3-none-any.whl", "client": f"192.0.2.{number}"}
        store.use(digest, **changes, now=NOW + timedelta(minutes=number))
        store.said.clear()
        changes["filename"] = f"foo-2.{number}-py3-none-any.whl"
        store.use(digest, **changes, now=NOW + timedelta(minutes=number))
        return list(store.said)

    never_refreshed = statements(FIRST, 1)
    store.refresh(SECOND)
    current, former = statements(SECOND, 2), statements(FIRST, 3)

    assert len(never_refreshed) >= 4
    assert current == never_refreshed
    assert len(former) == len(current) + 1
    assert former[:-2] + former[-1:] == current  # before the commit


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_secret_that_is_being_changed_holds_nobody_up(store: Store) -> None:
    store.refresh(SECOND)
    with store.database.begin() as unit:
        unit.session.execute(text("SELECT * FROM secrets FOR UPDATE"))
        assert isinstance(store.use(FIRST), Receipt)
    assert store.former() == [None]

    store.use(FIRST, now=NOW + HOUR)
    assert store.former() == [NOW + HOUR]
