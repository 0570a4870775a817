"""The look-up of the request path: every column, every change, and nothing else."""

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from entitlements_core.errors import StoreError
from entitlements_core.policy.credential import (
    Access,
    Credential,
    CredentialKind,
    Eula,
    Grant,
    State,
)
from entitlements_core.policy.limits import Limits
from entitlements_core.policy.network import Networks
from entitlements_core.policy.package_tags import Package, VendorTags
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.token import TokenGrant
from entitlements_core.store import versioned_cache
from entitlements_core.store.database import Database
from entitlements_core.store.models import PackageTagRow
from entitlements_core.store.raw_store import RawStore
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.records import EulaRevision
from entitlements_core.store.unit_of_work import UnitOfWork
from tests.factories import NOW, REPOSITORY, add_repository, add_token, edit_token, entry
from tests.postgres import Server
from tests.store.test_ledger import driver

DIGEST = b"d" * 32
OTHER = b"o" * 32
TOKEN = "abcdefghijkl"
HOUR = timedelta(hours=1)


@dataclass
class Store:
    """A database, and the reader that is tested."""

    database: Database
    reader: CredentialReader

    def find(self, digest: bytes = DIGEST, now: datetime = NOW) -> Credential | None:
        return self.reader.find(digest, REPOSITORY, now)

    def change(self, edit: Callable[[UnitOfWork], object]) -> None:
        """As the services do: the change, and the mark of it."""
        with self.database.begin() as unit:
            edit(unit)
            unit.tokens.touch(TOKEN, at=NOW, by="vendor")


@pytest.fixture
def store(database_url: str, database: Database) -> Iterator[Store]:
    """A store with one repository."""
    add_repository(database)
    reader = CredentialReader(database_url, eula_url="https://acme.example/eula/{identifier}")
    yield Store(database, reader)
    reader.close()


def after_each_statement(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], object]) -> None:
    """Let something happen after each statement that a reader sends, whose text it is given."""
    plain = RawStore.read

    def read(reader: RawStore, statement: str, values: tuple[object, ...] = ()) -> object:
        found = plain(reader, statement, values)
        happens(statement)
        return found

    monkeypatch.setattr(RawStore, "read", read)


def test_every_column_reaches_the_credential(database_url: str, database: Database) -> None:
    add_repository(database, contact="sales@acme.example", enforce_eula=True)
    number = add_token(
        database,
        digest=DIGEST,
        query="name:^foo$",
        access=Access.WRITE,
        kind=CredentialKind.USER,
        state=State.DISABLED,
        user="ann",
        name="Ann of Acme",
        limit_num_downloads=5,
        limit_num_clients=0,
        limit_bandwidth=3,
        limit_bandwidth_unit="Gigabyte",
        limit_date_range_from=NOW,
        limit_date_range_to=NOW + HOUR,
        updates_until=NOW - HOUR,
        allow_networks=("203.0.113.0/24",),
        deny_networks=("203.0.113.9/32", "2001:db8::/32"),
        eula_required=True,
    )
    reader = CredentialReader(database_url)
    expected = Credential(
        id=number,
        identifier=TOKEN,
        name="Ann of Acme",
        kind=CredentialKind.USER,
        state=State.DISABLED,
        grants=(
            Grant(
                repository=REPOSITORY,
                access=Access.WRITE,
                restriction=PackageQuery.parse("name:^foo$"),
            ),
        ),
        limits=Limits(downloads=5, clients=0, bandwidth=3_000_000_000),
        valid_from=NOW,
        valid_until=NOW + HOUR,
        updates_until=NOW - HOUR,
        networks=Networks.parse(["203.0.113.0/24"], ["203.0.113.9", "2001:db8::/32"]),
        eula=Eula(required=True),
        user="ann",
        contact="sales@acme.example",
    )

    assert reader.find(DIGEST, REPOSITORY, NOW) == expected
    assert reader.by_identifier(TOKEN, REPOSITORY) == expected
    reader.close()


def test_a_plain_token_has_the_defaults(store: Store) -> None:
    number = add_token(store.database, digest=DIGEST)
    assert store.find() == Credential(
        id=number, identifier=TOKEN, name="Customer", grants=(Grant(repository=REPOSITORY),)
    )


@pytest.mark.parametrize(
    ("digest", "repository"),
    [
        (OTHER, REPOSITORY),
        (DIGEST, "acme/beta"),
        (DIGEST, "acme/nowhere"),
        (DIGEST, "acme"),
        (DIGEST, ""),
        (DIGEST, "ACME/stable"),
        (b"", REPOSITORY),
    ],
)
def test_what_is_not_stored_is_not_found(store: Store, digest: bytes, repository: str) -> None:
    add_repository(store.database, "acme/beta")
    add_token(store.database, digest=DIGEST)
    assert store.reader.find(digest, repository, NOW) is None
    assert store.find() is not None


def test_a_secret_opens_a_token_of_its_own_in_each_repository(store: Store) -> None:
    add_repository(store.database, "acme/beta")
    add_token(store.database, digest=DIGEST)
    add_token(store.database, "mnopqrstuvwx", digest=DIGEST, repository="acme/beta")

    here, there = store.find(), store.reader.find(DIGEST, "acme/beta", NOW)

    assert here is not None
    assert there is not None
    assert (here.identifier, there.identifier) == (TOKEN, "mnopqrstuvwx")
    assert store.reader.by_identifier(TOKEN, "acme/beta") is None
    assert store.reader.by_identifier("nobody", REPOSITORY) is None


@pytest.mark.parametrize(
    ("now", "opens"),
    [(NOW, True), (NOW + HOUR - timedelta(microseconds=1), True), (NOW + HOUR, False)],
)
@pytest.mark.parametrize("warm", [False, True])
def test_a_previous_secret_opens_until_its_end(
    store: Store,
    now: datetime,
    opens: bool,  # noqa: FBT001 - the answer
    warm: bool,  # noqa: FBT001 - a column
) -> None:
    add_token(store.database, digest=DIGEST)
    store.change(
        lambda unit: unit.secrets.put(
            TOKEN, [REPOSITORY], OTHER, sealed=None, at=NOW, previous_until=NOW + HOUR
        )
    )
    if warm:
        assert store.find(now=NOW) is not None

    assert (store.find(now=now) is not None) is opens
    assert store.find(OTHER, now) is not None


def put(digest: bytes) -> Callable[[UnitOfWork], object]:
    return lambda unit: unit.secrets.put(TOKEN, [REPOSITORY], digest, sealed=None, at=NOW)


@pytest.mark.parametrize(
    ("edit", "opens"),
    [
        (lambda unit: unit.tokens.set_state(TOKEN, State.DISABLED, at=NOW, by="v"), True),
        (lambda unit: unit.tokens.set_state(TOKEN, State.DELETED, at=NOW, by="v"), True),
        (lambda unit: unit.secrets.drop(TOKEN), False),
        (put(OTHER), False),
    ],
    ids=["disabled", "deleted", "secrets-dropped", "replaced"],
)
def test_a_change_of_state_is_seen_at_once(
    store: Store,
    edit: Callable[[UnitOfWork], object],
    opens: bool,  # noqa: FBT001 - the answer
) -> None:
    add_token(store.database, digest=DIGEST)
    before = store.find()
    assert before is not None
    assert store.find() is before

    store.change(edit)

    after = store.find()
    assert (after is not None) is opens
    assert after is None or after.state is not State.ENABLED


CHANGES: list[tuple[dict[str, Any], str, object]] = [
    ({"name": "Renamed"}, "name", "Renamed"),
    ({"limit_num_downloads": 3}, "limits", Limits(downloads=3)),
    ({"limit_num_clients": 3}, "limits", Limits(clients=3)),
    ({"limit_bandwidth": 3}, "limits", Limits(bandwidth=3)),
    (
        {"limit_bandwidth": 3, "limit_bandwidth_unit": "Kilobyte"},
        "limits",
        Limits(bandwidth=3000),
    ),
    ({"limit_date_range_from": NOW}, "valid_from", NOW),
    ({"limit_date_range_to": NOW}, "valid_until", NOW),
    ({"updates_until": NOW}, "updates_until", NOW),
    ({"allow_networks": ("10.0.0.0/8",)}, "networks", Networks.parse(["10.0.0.0/8"])),
    ({"deny_networks": ("10.0.0.0/8",)}, "networks", Networks.parse([], ["10.0.0.0/8"])),
]


@pytest.mark.parametrize(
    ("terms", "field", "value"), CHANGES, ids=[" ".join(terms) for terms, _, _ in CHANGES]
)
def test_a_change_of_terms_is_seen_at_once(
    store: Store, terms: dict[str, Any], field: str, value: object
) -> None:
    add_token(store.database, digest=DIGEST)
    assert getattr(store.find(), field) != value

    edit_token(store.database, **terms)

    assert getattr(store.find(), field) == value


def test_a_change_of_the_grant_is_seen_at_once(store: Store) -> None:
    add_token(store.database, digest=DIGEST)
    assert store.find() is not None

    store.change(
        lambda unit: unit.tokens.set_grant(
            TOKEN,
            TokenGrant(
                repository=REPOSITORY, access=Access.WRITE, limit_package_query="name:^bar$"
            ),
        )
    )

    found = store.find()
    assert found is not None
    assert found.grants == (
        Grant(
            repository=REPOSITORY,
            access=Access.WRITE,
            restriction=PackageQuery.parse("name:^bar$"),
        ),
    )


def test_a_change_of_the_repository_is_seen_at_once(store: Store) -> None:
    add_token(store.database, digest=DIGEST)
    before = store.find()
    assert before is not None
    assert before.contact == ""

    with store.database.begin() as unit:
        found = unit.repositories.get(REPOSITORY)
        unit.repositories.save(type(found)(name=found.name, contact="new", created_at=NOW))

    after = store.find()
    assert after is not None
    assert after.contact == "new"


def test_changes_of_other_tokens_change_nothing(store: Store) -> None:
    add_token(store.database, digest=DIGEST)
    before = store.find()
    add_token(store.database, "mnopqrstuvwx", digest=OTHER)
    edit_token(store.database, "mnopqrstuvwx", name="Renamed")
    assert store.find() is before


def eula(number: int) -> EulaRevision:
    return EulaRevision(
        repository=REPOSITORY,
        number=number,
        identifier=f"eula{number}",
        content="Text",
        sha256="0" * 64,
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("enforced", "required", "revisions", "accepted", "expected"),
    [
        (False, False, 1, [], Eula()),
        (True, False, 1, [], Eula()),
        (False, True, 1, [], Eula()),
        (True, True, 0, [], Eula(required=True, url="https://acme.example/eula/none")),
        (True, True, 1, [], Eula(required=True, url="https://acme.example/eula/eula1")),
        (True, True, 1, [1], Eula(required=True, accepted=True)),
        (True, True, 2, [1], Eula(required=True, url="https://acme.example/eula/eula2")),
        (True, True, 2, [2], Eula(required=True, accepted=True)),
        (True, True, 2, [1, 2], Eula(required=True, accepted=True)),
        (False, True, 2, [2], Eula()),
    ],
)
def test_where_a_token_stands_with_the_licence(
    database_url: str,
    database: Database,
    enforced: bool,  # noqa: FBT001 - a column
    required: bool,  # noqa: FBT001 - a column
    revisions: int,
    accepted: list[int],
    expected: Eula,
) -> None:
    add_repository(database, enforce_eula=enforced)
    add_token(database, digest=DIGEST, eula_required=required)
    add_token(database, "mnopqrstuvwx", eula_required=required)
    with database.begin() as unit:
        for number in range(1, revisions + 1):
            unit.eulas.add(eula(number))
            # What another token accepted says nothing about this one.
            unit.eulas.accept("mnopqrstuvwx", eula(number), at=NOW, address="")
        for number in accepted:
            unit.eulas.accept(TOKEN, eula(number), at=NOW, address="")
    reader = CredentialReader(database_url, eula_url="https://acme.example/eula/{identifier}")

    found = reader.find(DIGEST, REPOSITORY, NOW)

    assert found is not None
    assert found.eula == expected
    reader.close()


@pytest.mark.parametrize(
    ("query", "problem"),
    [("edition:^pro$", "edition"), ("name:(", ""), ("", ""), ("x" * 2000, "")],
)
def test_a_restriction_that_cannot_be_read_is_an_error_every_time(
    store: Store, query: str, problem: str
) -> None:
    add_token(store.database, digest=DIGEST, query=query)
    for _ in range(2):
        with pytest.raises(StoreError, match=f"{TOKEN} cannot be read") as caught:
            store.find()
        assert problem in str(caught.value)


def test_a_restriction_on_a_plugins_field_is_read_with_the_plugin(
    database_url: str, database: Database
) -> None:
    add_repository(database)
    add_token(database, digest=DIGEST, query="edition:^pro$")
    reader = CredentialReader(
        database_url, parse=lambda text: PackageQuery.parse(text, extra_fields={"edition"})
    )
    found = reader.find(DIGEST, REPOSITORY, NOW)
    assert found is not None
    assert found.grants[0].restriction is not None
    assert found.grants[0].restriction.foreign
    reader.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "paused"),
        ("kind", "robot"),
        ("limit_bandwidth_unit", "Bushel"),
        ("allow_networks", ["nonsense"]),
    ],
)
def test_a_row_of_another_version_is_an_error(store: Store, column: str, value: object) -> None:
    add_token(store.database, digest=DIGEST, limit_bandwidth=1)
    store.change(lambda unit: setattr(unit.tokens.row(TOKEN), column, value))
    with pytest.raises(StoreError, match=f"{TOKEN} cannot be read"):
        store.find()


def test_a_token_that_keeps_changing_is_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is edited between the two statements, again and again."""
    add_token(store.database, digest=DIGEST)
    after_each_statement(monkeypatch, lambda _: edit_token(store.database))
    with pytest.raises(StoreError, match="keeps changing"):
        store.find()


def test_a_token_that_changes_once_meanwhile_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_token(store.database, digest=DIGEST)
    edits = [{"name": "Renamed"}]

    def edit_once(_: str) -> None:
        if edits:
            edit_token(store.database, **edits.pop())

    after_each_statement(monkeypatch, edit_once)
    found = store.find()
    assert found is not None
    assert found.name == "Renamed"


def test_only_so_many_secrets_are_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioned_cache, "CAPACITY", 2)
    digests = [bytes([number]) * 32 for number in range(5)]
    for number, digest in enumerate(digests):
        add_token(store.database, f"token{number}", digest=digest)
    asked: list[str] = []
    after_each_statement(monkeypatch, asked.append)
    for digest in digests * 2:
        asked.clear()
        assert store.find(digest) is not None
        assert asked, "it was forgotten over the others"


def test_what_is_remembered_is_not_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_token(store.database, digest=DIGEST)
    asked: list[str] = []
    after_each_statement(monkeypatch, asked.append)
    first = store.find()
    assert asked
    asked.clear()

    assert store.find() is first
    # PostgreSQL does not tell whether anything was committed.
    assert len(asked) == (0 if store.database.url.is_sqlite else 1)


def test_which_repositories_a_secret_opens(store: Store) -> None:
    add_repository(store.database, "acme/beta")
    add_repository(store.database, "acme/empty")
    add_token(store.database, digest=DIGEST)
    add_token(store.database, "mnopqrstuvwx", digest=DIGEST, repository="acme/beta")
    add_token(store.database, "yzabcdefghij", digest=OTHER, repository="acme/empty")

    assert store.reader.repositories(DIGEST, NOW) == ("acme/beta", REPOSITORY)
    assert store.reader.repositories(OTHER, NOW) == ("acme/empty",)
    assert store.reader.repositories(b"?" * 32, NOW) == ()


@pytest.mark.parametrize(
    ("now", "opened"),
    [
        (NOW, (REPOSITORY,)),
        (NOW + HOUR - timedelta(microseconds=1), (REPOSITORY,)),
        (NOW + HOUR, ()),
    ],
)
@pytest.mark.parametrize("warm", [False, True])
def test_a_previous_secret_opens_its_repositories_until_its_end(
    store: Store,
    now: datetime,
    opened: tuple[str, ...],
    warm: bool,  # noqa: FBT001 - a column
) -> None:
    add_token(store.database, digest=DIGEST)
    store.change(
        lambda unit: unit.secrets.put(
            TOKEN, [REPOSITORY], OTHER, sealed=None, at=NOW, previous_until=NOW + HOUR
        )
    )
    if warm:
        assert store.reader.repositories(DIGEST, NOW) == (REPOSITORY,)

    assert store.reader.repositories(DIGEST, now) == opened
    assert store.reader.repositories(OTHER, now) == (REPOSITORY,)


@pytest.mark.parametrize(
    ("edit", "opened"),
    [
        (lambda unit: unit.tokens.set_state(TOKEN, State.DISABLED, at=NOW, by="v"), True),
        (lambda unit: unit.tokens.set_state(TOKEN, State.DELETED, at=NOW, by="v"), False),
        (lambda unit: unit.secrets.drop(TOKEN), False),
        (put(OTHER), False),
        (lambda unit: unit.repositories.remove(REPOSITORY, NOW), False),
    ],
    ids=["disabled", "deleted", "secrets-dropped", "replaced", "repository-removed"],
)
def test_what_a_secret_opens_changes_at_once(
    store: Store,
    edit: Callable[[UnitOfWork], object],
    opened: bool,  # noqa: FBT001 - the answer
) -> None:
    add_token(store.database, digest=DIGEST)
    for _ in range(2):
        assert store.reader.repositories(DIGEST, NOW) == (REPOSITORY,)

    store.change(edit)

    assert store.reader.repositories(DIGEST, NOW) == ((REPOSITORY,) if opened else ())


def test_downloads_are_counted_by_file(store: Store, database_url: str) -> None:
    add_repository(store.database, "acme/beta")
    number = add_token(store.database)
    keeper = driver(database_url)
    keeper.commit(
        [
            entry(number, filename="a.whl"),
            entry(number, filename="b.whl"),
            entry(number, filename="b.whl", client="203.0.113.10"),
            entry(number, filename="c.whl", repository="acme/beta"),
        ]
    )
    keeper.close()
    assert store.reader.downloads(REPOSITORY) == {"a.whl": 1, "b.whl": 2}
    assert store.reader.downloads("acme/beta") == {"c.whl": 1}
    assert store.reader.downloads("acme/nowhere") == {}


def tag(database: Database, package: str, *tags: str, repository: str = REPOSITORY) -> None:
    with database.begin() as unit:
        unit.package_tags.put(repository, Package.parse(package), tags)


def tags_of(tags: VendorTags, name: str, version: str) -> frozenset[str]:
    return tags.of(canonicalize_name(name), Version(version))


def test_the_tags_of_packages(store: Store) -> None:
    add_repository(store.database, "acme/beta")
    tag(store.database, "foo", "supported")
    tag(store.database, "foo==1.0", "lts", "audited")
    tag(store.database, "foo", "beta", repository="acme/beta")

    found = store.reader.package_tags(REPOSITORY)

    assert tags_of(found, "foo", "1.0.0") == {"supported", "lts", "audited"}
    assert tags_of(found, "foo", "2.0") == {"supported"}
    assert tags_of(found, "bar", "1.0") == frozenset()
    assert tags_of(store.reader.package_tags("acme/beta"), "foo", "2.0") == {"beta"}
    assert store.reader.package_tags("acme/nowhere") == VendorTags()


def test_a_change_of_tags_is_seen_at_once_and_changes_the_state(store: Store) -> None:
    states = set()
    for tags in ((), ("a",), ("a", "b"), ("b",), (), ("a",)):
        tag(store.database, "foo==1.0", *tags)
        for _ in range(2):
            found = store.reader.package_tags(REPOSITORY)
            assert tags_of(found, "foo", "1.0") == set(tags)
        states.add(found.state)
    assert len(states) == 6


def test_tags_that_did_not_change_are_not_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_token(store.database)
    tag(store.database, "foo", "supported")
    before = store.reader.package_tags(REPOSITORY)
    edit_token(store.database, name="Renamed")
    asked: list[str] = []
    after_each_statement(monkeypatch, asked.append)

    assert store.reader.package_tags(REPOSITORY) is before
    assert asked
    assert not any("package_tags" in statement for statement in asked)


def test_tags_that_cannot_be_read_are_an_error(store: Store) -> None:
    with store.database.begin() as unit:
        number = unit.repositories.row_id(REPOSITORY)
        row = PackageTagRow(repository_id=number, project="foo", version="one", tag="a")
        unit.session.add(row)
    for _ in range(2):
        with pytest.raises(StoreError, match="tags of acme/stable cannot be read"):
            store.reader.package_tags(REPOSITORY)


def _child(url: str, answers: "multiprocessing.Queue[str]") -> None:
    reader = CredentialReader(url)
    found = reader.find(DIGEST, REPOSITORY, NOW)
    answers.put("" if found is None else found.name)
    edit_token(Database(url), name="Renamed by a child")


def test_a_change_by_another_process_is_seen_at_once(store: Store, database_url: str) -> None:
    add_token(store.database, digest=DIGEST)
    assert store.find() is not None
    spawn = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = spawn.Queue()
    child = spawn.Process(target=_child, args=(database_url, answers))
    child.start()
    assert answers.get(timeout=60) == "Customer"
    child.join(60)

    found = store.find()
    assert found is not None
    assert found.name == "Renamed by a child"


def test_a_forked_child_reads_on_its_own(store: Store) -> None:
    add_token(store.database, digest=DIGEST)
    assert store.find() is not None
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[bool] = fork.Queue()
    child = fork.Process(target=lambda: answers.put(store.find() is not None))
    child.start()
    assert answers.get(timeout=60) is True
    child.join(60)
    edit_token(store.database, name="Renamed")
    found = store.find()
    assert found is not None
    assert found.name == "Renamed"


def test_a_closed_reader_can_be_used_again(store: Store) -> None:
    add_token(store.database, digest=DIGEST)
    assert store.find() is not None
    store.reader.close()
    assert store.find() is not None


def test_a_missing_store_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    reader = CredentialReader(f"sqlite:///{tmp_path / 'store.db'}")
    with pytest.raises(StoreError, match="cannot be opened"):
        reader.find(DIGEST, REPOSITORY, NOW)
    with pytest.raises(StoreError, match="cannot be opened"):
        reader.repositories(DIGEST, NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database at all" * 100)
    reader = CredentialReader(f"sqlite:///{tmp_path / 'store.db'}")
    with pytest.raises(StoreError, match="not a database"):
        reader.find(DIGEST, REPOSITORY, NOW)


def test_a_store_without_tables_is_an_error(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    reader = CredentialReader(empty_url)
    problem = "cannot be read" if empty_url.startswith("sqlite") else "lacks a table"
    for _ in range(2):
        with pytest.raises(StoreError, match=problem):
            reader.find(DIGEST, REPOSITORY, NOW)
    reader.close()


def test_a_postgres_connection_that_died_idle_is_replaced_unnoticed(
    postgres: Server, postgres_template: str
) -> None:
    url = postgres.create("reader_lost", postgres_template)
    database = Database(url)
    add_repository(database)
    add_token(database, digest=DIGEST)
    database.close()
    reader = CredentialReader(url)
    idle = [reader._store._stack.take() for _ in range(3)]
    for connection in idle:
        reader._store._stack.give_back(connection)
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'reader_lost'"
    )

    assert reader.find(DIGEST, REPOSITORY, NOW) is not None
    assert all(connection.closed for connection in idle)
    reader.close()
    postgres.drop("reader_lost")
