"""Opening, locking, breaking, upgrading: what a database can do to us."""

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from entitlements_core.errors import ConfigurationError, KeyFileError, StoreError
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import (
    DatabaseCorrupt,
    DatabaseFull,
    DatabaseLocked,
    DatabaseMissing,
    DatabaseNewer,
    DatabaseOlder,
    DatabaseReadOnly,
    DatabaseUnreachable,
    failure_of,
)
from entitlements_core.store.models import StoreInfoRow
from tests.postgres import Server


def _row_count(database: Database) -> int:
    from sqlmodel import select

    with database.read() as unit:
        return len(unit.session.exec(select(StoreInfoRow)).all())


def _add(database: Database, name: str) -> None:
    with database.begin() as unit:
        unit.session.add(StoreInfoRow(name=name, value=""))


def _set_revision(database: Database, revision: str) -> None:
    with database.begin() as unit:
        unit.session.connection().exec_driver_sql(
            f"UPDATE alembic_version SET version_num = '{revision}'"  # noqa: S608 - the test's own
        )


@pytest.mark.parametrize(
    "url", ["", "mysql://x/y", "sqlite://", "sqlite:///", "sqlite:///:memory:", "store.db"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Database(url)


def _ask_often(database: Database, name: str, answers: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        for number in range(50):
            _add(database, f"{name} {number}")
            assert _row_count(database) > number
    except Exception as error:  # noqa: BLE001 - told to the test
        answers.put(repr(error))
    else:
        answers.put("")


def test_forked_children_use_no_connection_of_their_parent(database_url: str) -> None:
    """As under `gunicorn --preload`, where the application may have used it before the fork."""
    database = Database(database_url)
    before = _row_count(database)
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    children = [
        fork.Process(target=_ask_often, args=(database, f"child {number}", answers))
        for number in range(3)
    ]
    for child in children:
        child.start()
    _ask_often(database, "parent", answers)
    for child in children:
        child.join(60)

    assert [answers.get() for _ in range(4)] == [""] * 4
    assert [child.exitcode for child in children] == [0] * 3
    assert _row_count(database) == before + 4 * 50
    database.close()


def test_an_address_never_shows_its_password() -> None:
    database = Database("postgresql://ann:pass@db.example:5432/store?sslmode=require")
    assert str(database.url) == "postgresql://ann@db.example:5432/store"
    assert repr(database) == "Database('postgresql://ann@db.example:5432/store')"
    assert "pass" not in repr(database.url)
    assert database.url.rest.startswith("ann:pass@")
    assert "pass" not in repr(database.url.postgres)
    assert str(DatabaseURL.parse("sqlite:////srv/a%20b.db")) == "/srv/a b.db"


def test_postgres_without_its_driver_is_a_matter_of_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("entitlements_core.store.database_url.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"index-entitlements\[postgres\]"):
        DatabaseURL.parse("postgresql://db.example/store")
    assert DatabaseURL.parse("sqlite:///store.db").is_sqlite


def test_a_block_is_stored_as_a_whole_or_not_at_all(database: Database) -> None:
    def fail_midway() -> None:
        with database.begin() as unit:
            unit.session.add(StoreInfoRow(name="lost", value=""))
            unit.session.flush()
            raise ValueError("stop")

    _add(database, "kept")
    with pytest.raises(ValueError, match="stop"):
        fail_midway()
    with database.read() as unit:
        unit.session.add(StoreInfoRow(name="also lost", value=""))
    assert _row_count(database) == 1


def test_a_reader_sees_one_state(database: Database) -> None:
    with database.read() as unit:
        assert unit.session.get(StoreInfoRow, "later") is None
        _add(database, "later")
        unit.session.expire_all()
        assert unit.session.get(StoreInfoRow, "later") is None
    assert _row_count(database) == 1


def test_a_second_writer_waits_and_then_gives_up(database: Database, database_url: str) -> None:
    other = Database(database_url, lock_timeout_ms=200)
    with database.begin(), pytest.raises(DatabaseLocked, match="locked"):
        _add(other, "never")
    _add(other, "now")
    assert _row_count(database) == 1
    other.close()
    other.close()


def test_the_store_is_tied_to_one_key(database: Database, database_url: str) -> None:
    database.bind_key("a" * 32)
    database.bind_key("a" * 32)
    other = Database(database_url)
    with pytest.raises(KeyFileError, match="aaaaaaaa"):
        other.bind_key("b" * 32)
    other.close()
    with database.begin() as unit:
        assert unit.remember_key("c" * 32) == "a" * 32


def test_an_older_schema(empty_url: str) -> None:
    database = Database(empty_url)
    database.upgrade()
    with database.begin() as unit:
        unit.session.connection().exec_driver_sql("DELETE FROM alembic_version")
    assert database.current() is None
    with pytest.raises(DatabaseOlder, match="no schema yet"):
        database.require_current()
    database.close()


def test_a_schema_of_an_earlier_version(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from entitlements_core.store import schema_revisions

    monkeypatch.setattr(schema_revisions, "HEAD", "9999")
    with pytest.raises(DatabaseOlder, match=f"schema {schema_revisions.KNOWN[-1]}, not 9999"):
        database.require_current()


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    _set_revision(database, "9999")
    for refused in (database.require_current, database.upgrade):
        with pytest.raises(DatabaseNewer, match="9999"):
            refused()


def test_tables_that_are_not_there(database: Database) -> None:
    with database.begin() as unit:
        unit.session.connection().exec_driver_sql("DROP TABLE store_info")
    with pytest.raises(DatabaseOlder, match="lacks a table"):
        database.bind_key("a" * 32)
    assert any("store_info" in found for found in database.check())


def test_an_empty_database_has_no_revision(postgres: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert database.current() is None
    url = postgres.create("empty")
    assert Database(url).current() is None
    postgres.drop("empty")


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("operation", [Database.current, Database.require_current, Database.check])
def test_a_missing_file(tmp_path: Path, operation: Callable[[Database], object]) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(DatabaseMissing, match=r"none\.db"):
        operation(Database(f"sqlite:///{path}"))
    assert not path.exists()


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseMissing):
        Database(f"sqlite:///{tmp_path / 'file' / 'store.db'}").upgrade()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("this is no database, " * 100)
    database = Database(f"sqlite:///{path}")
    for operation in (database.current, database.upgrade, database.check):
        with pytest.raises(DatabaseCorrupt):
            operation()


def test_a_damaged_file_is_found_by_check(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(sqlite_template.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO token_tags VALUES (99, 'stray')")
        connection.commit()
    (found,) = Database(f"sqlite:///{path}").check()
    assert "tokens" in found


def test_a_database_that_may_only_be_read(database: Database, database_url: str) -> None:
    if database.url.is_sqlite:
        with closing(database.url.connect_sqlite()) as connection:
            connection.execute("PRAGMA query_only = ON")
            with pytest.raises(sqlite3.OperationalError) as caught:
                connection.execute("DELETE FROM store_info")
            failure = failure_of(caught.value, "store")
            assert isinstance(failure, DatabaseReadOnly)
        return
    read_only = Database(f"{database_url}&options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(DatabaseReadOnly):
        _add(read_only, "never")
    read_only.close()


def test_a_locked_file_is_not_switched_to_wal(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        database = Database(f"sqlite:///{path}", lock_timeout_ms=100)
        with pytest.raises(DatabaseLocked):
            database.upgrade()
        other.execute("ROLLBACK")
    database.upgrade()
    database.close()


def test_the_switch_to_wal_waits_for_readers(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closing(reader):
        reader.execute("CREATE TABLE t (x)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        hasty = Database(f"sqlite:///{path}", lock_timeout_ms=50)
        with pytest.raises(DatabaseLocked):
            hasty.upgrade()
        patient = Database(f"sqlite:///{path}", lock_timeout_ms=20_000)
        timer = threading.Timer(0.3, reader.execute, ["COMMIT"])
        timer.start()
        patient.upgrade()
        timer.join()
        patient.require_current()
        patient.close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    database = Database(f"postgresql://ann:pass@/store?host={tmp_path}")
    for operation in (database.current, database.check, lambda: _add(database, "x")):
        with pytest.raises(DatabaseUnreachable) as caught:
            operation()
        assert "pass" not in str(caught.value)


def test_a_database_that_the_server_does_not_have(postgres: Server) -> None:
    database = Database(postgres.url("nowhere"))
    for operation in (database.current, database.check):
        with pytest.raises(DatabaseMissing, match="nowhere"):
            operation()


def test_other_failures_are_named_by_their_class_alone(database: Database) -> None:
    with pytest.raises(StoreError) as caught, database.begin() as unit:
        unit.session.connection().exec_driver_sql("SELECT 'some value' FROM")
    assert type(caught.value) is StoreError
    assert "some value" not in str(caught.value)


def test_a_query_on_a_broken_version_table(database: Database) -> None:
    with database.begin() as unit:
        unit.session.connection().exec_driver_sql(
            "ALTER TABLE alembic_version RENAME COLUMN version_num TO other"
        )
    assert database.current() is None


def test_symptoms_of_drivers() -> None:
    full = sqlite3.OperationalError()
    full.sqlite_errorname = "SQLITE_FULL"
    assert isinstance(failure_of(full, "store"), DatabaseFull)
    assert type(failure_of(sqlite3.ProgrammingError(), "store")) is StoreError
    assert isinstance(failure_of(psycopg.errors.DiskFull(), "store"), DatabaseFull)
    assert isinstance(failure_of(psycopg.errors.DeadlockDetected(), "store"), DatabaseLocked)
    assert type(failure_of(ValueError(), "store")) is StoreError


def test_the_check_at_server_start_imports_neither_alembic_nor_sqlalchemy(
    database_url: str,
) -> None:
    code = (
        "import sys; from entitlements_core.store.database_url import DatabaseURL;"
        "from entitlements_core.store.schema_revisions import require_current;"
        "require_current(DatabaseURL.parse(sys.argv[1]));"
        "print([name for name in ('alembic', 'sqlalchemy', 'sqlmodel') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, database_url], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_services_do_without_sqlalchemy_until_they_work() -> None:
    code = (
        "import sys; from entitlements_core.services import ("
        "eulas, token_lifecycle, reports, repositories, rotation, sync, user_tokens);"
        "print([name for name in ('alembic', 'sqlalchemy', 'sqlmodel') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
