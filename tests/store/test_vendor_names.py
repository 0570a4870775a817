"""Names that are the vendor's, on every store."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from packaging.utils import canonicalize_name

from entitlements_core.errors import NotFound
from entitlements_core.policy.project_names import NamePattern
from entitlements_core.store.database import Database
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.upload_register import UploadRegister
from tests.factories import REPOSITORY, add_repository, rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BESIDE, OTHER = "acme/other", "beta/prod"
FILES = ("acme_app-1.0-py3-none-any.whl", "acme-2-tools-1.0.tar.gz", "Acme.Util-3.tar.gz")
OWN = {"acme-app", "acme", "acme-2-tools", "acme-util"}
FOREIGN = {"numpy", "acme-app2", "acm", "acme-apps", "a"}


@pytest.fixture
def store(database: Database) -> Database:
    add_repository(database)
    add_repository(database, BESIDE)
    add_repository(database, OTHER)
    return database


@pytest.fixture
def reader(store: Database, database_url: str) -> Iterator[CredentialReader]:
    with closing(CredentialReader(database_url)) as reader:
        yield reader


def own(reader: CredentialReader, names: set[str], repository: str = REPOSITORY) -> set[str]:
    return {name for name in names if reader.is_own(canonicalize_name(name), repository)}


def upload(database_url: str, *files: str) -> None:
    with closing(UploadRegister(database_url)) as register:
        found = {(file, f"{number:064x}"): NOW for number, file in enumerate(files)}
        register.record(REPOSITORY, found, NOW, complete=True)


def reserve(store: Database, *names: str) -> None:
    with store.begin() as unit:
        unit.reserved_names.put(REPOSITORY, map(NamePattern.parse, names))


def test_a_name_is_the_vendors_once_a_file_had_it(
    store: Database, reader: CredentialReader, database_url: str
) -> None:
    assert own(reader, OWN | FOREIGN) == set()
    upload(database_url, *FILES)
    assert own(reader, OWN | FOREIGN) == OWN
    assert own(reader, OWN | FOREIGN, BESIDE) == OWN
    assert own(reader, OWN | FOREIGN, OTHER) == set()
    upload(database_url, "new_one-1.0-py3-none-any.whl")
    assert own(reader, OWN | {"new-one"}) == OWN | {"new-one"}


def test_a_reserved_name_is_the_vendors_from_the_next_question_on(
    store: Database, reader: CredentialReader
) -> None:
    asked = {"acme", "acme-app", "acme-x-y", "acmes", "my-acme-app", "tool", "tools"}
    assert own(reader, asked) == set()
    reserve(store, "acme-*", "tool")
    assert own(reader, asked) == {"acme-app", "acme-x-y", "tool"}
    assert own(reader, asked, BESIDE) == {"acme-app", "acme-x-y", "tool"}
    assert own(reader, asked, OTHER) == set()
    reserve(store, "acme*")
    assert own(reader, asked) == {"acme", "acme-app", "acme-x-y", "acmes"}
    reserve(store)
    assert own(reader, asked) == set()


@pytest.mark.parametrize("name", ["a_b", "a%", "%", "_", "'", "*", "a*", "\\", "é", ""])
def test_an_odd_name_is_only_itself(store: Database, reader: CredentialReader, name: str) -> None:
    reserve(store, "a-b", "axb*")
    assert own(reader, {name, "a-b"}) <= {"a-b", "a_b"}
    assert reader.is_own(canonicalize_name("axb"), REPOSITORY)


def test_where_there_is_no_repository_nothing_is_anybody_elses(reader: CredentialReader) -> None:
    assert own(reader, FOREIGN, "acme/none") == FOREIGN


def test_the_names_of_a_repository_that_was_removed_stay(
    store: Database, reader: CredentialReader, database_url: str
) -> None:
    upload(database_url, *FILES)
    reserve(store, "later-*")
    with store.begin() as unit:
        unit.repositories.remove(REPOSITORY, NOW)
    add_repository(store)
    assert own(reader, OWN | {"later-x"} | FOREIGN) == OWN | {"later-x"}
    with store.begin() as unit:
        assert list(map(str, unit.reserved_names.of(REPOSITORY))) == ["later-*"]


def test_reserving_raises_the_revision(store: Database) -> None:
    with store.begin() as unit:
        before = unit.repositories.get(REPOSITORY).revision
    reserve(store, "acme-*")
    with store.begin() as unit:
        assert unit.repositories.get(REPOSITORY).revision == before + 1
        with pytest.raises(NotFound):
            unit.reserved_names.of("acme/none")
        with pytest.raises(NotFound):
            unit.reserved_names.put("acme/none", ())


def test_an_upgrade_knows_the_names_of_all_files_that_ever_were(
    empty_url: str,
) -> None:
    from alembic import command

    from entitlements_core.store import migrate

    database = Database(empty_url)
    database.upgrade()
    add_repository(database)
    many = [f"lab_{number}-1.0-py3-none-any.whl" for number in range(1_500)]
    upload(empty_url, *FILES, *many, "no-version.tar.gz")
    before = rows(database, "SELECT name FROM project_names ORDER BY name")
    with database.begin() as unit:
        command.downgrade(migrate._config(unit.session.connection()), "0005")
    database.upgrade()
    assert rows(database, "SELECT name FROM project_names ORDER BY name") == before
    assert len(before) == len(OWN | {"no", "no-version"}) + len(many)
    assert database.check() == ()
    database.close()
