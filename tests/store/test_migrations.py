"""The migrations make exactly the tables that the models describe."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from entitlements_core.policy.package_tags import Package
from entitlements_core.store.database import Database
from entitlements_core.store.failures import DatabaseOlder
from entitlements_core.store.records import FormerSecret
from entitlements_core.store.schema_revisions import HEAD, KNOWN
from tests.factories import NOW, REPOSITORY, add_repository, add_token, rows

_START = """
import sys
from entitlements_core.store.database import Database
database = Database(sys.argv[1])
sys.stdin.readline()
database.upgrade()
database.bind_key("f" * 32)
"""


def test_models_and_migrations_agree(database: Database) -> None:
    assert database.check() == ()


def test_the_revisions_that_are_checked_without_alembic_are_the_migrations() -> None:
    from alembic.script import ScriptDirectory

    from entitlements_core.store import migrate

    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert tuple(script.revision for script in scripts.walk_revisions()) == KNOWN[::-1]


def test_upgrade_makes_the_schema_and_is_repeatable(empty_url: str) -> None:
    database = Database(empty_url)
    database.upgrade()
    database.upgrade()
    assert database.current() == HEAD
    database.require_current()
    database.close()


def test_the_schema_can_be_taken_down_and_made_again(empty_url: str) -> None:
    from alembic import command

    from entitlements_core.store import migrate

    database = Database(empty_url)
    database.upgrade()
    with database.begin() as unit:
        command.downgrade(migrate._config(unit.session.connection()), "base")
    assert database.current() is None
    database.upgrade()
    assert database.check() == ()
    database.close()


def test_a_store_of_the_first_schema_is_brought_up_to_date(empty_url: str) -> None:
    from alembic import command

    from entitlements_core.store import migrate

    database = Database(empty_url)
    database.upgrade()
    add_repository(database, contact="help@acme.example")
    number = add_token(database, digest=b"d" * 32, query="name:^demo$")
    with database.begin() as unit:
        command.downgrade(migrate._config(unit.session.connection()), "0001")
    assert database.current() == "0001"
    with pytest.raises(DatabaseOlder, match=f"schema 0001, not {HEAD}"):
        database.require_current()

    database.upgrade()

    assert database.current() == HEAD
    assert database.check() == ()
    with database.begin() as unit:
        assert unit.repositories.get(REPOSITORY).contact == "help@acme.example"
        assert unit.tokens.row("abcdefghijkl").id == number
        assert len(unit.secrets.living("abcdefghijkl")) == 1
        [grant] = unit.tokens.get("abcdefghijkl").grants
        assert grant.mark is None  # bound to nothing yet
        assert grant.bases == frozenset()
        assert unit.package_tags.all(REPOSITORY) == ()
        unit.package_tags.put(REPOSITORY, Package.parse("demo==1.0"), ["stable"])
    assert rows(database, "SELECT project, version, tag FROM package_tags") == [
        ("demo", "1.0", "stable")
    ]
    database.close()


def test_former_secrets_come_through_from_the_schema_before(empty_url: str) -> None:
    from alembic import command

    from entitlements_core.store import migrate

    database = Database(empty_url)
    database.upgrade()
    add_repository(database)
    add_token(database, digest=b"d" * 32)
    with database.begin() as unit:
        unit.secrets.put(
            "abcdefghijkl",
            [REPOSITORY],
            b"e" * 32,
            sealed=None,
            at=NOW,
            previous_until=NOW + timedelta(days=7),
        )
        command.downgrade(migrate._config(unit.session.connection()), "0006")
    before = rows(database, "SELECT * FROM secrets ORDER BY digest")
    assert len(before) == 2

    database.upgrade()

    assert database.check() == ()
    assert rows(database, "SELECT * FROM secrets ORDER BY digest") == [
        (*row, 1 if row[3] else None, None) for row in before
    ]
    with database.read() as unit:
        assert unit.secrets.former("abcdefghijkl", at=NOW) == (
            FormerSecret(valid_until=NOW + timedelta(days=7)),
        )
    database.close()


def test_processes_that_start_at_once_make_one_schema(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _START, empty_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    failures = [error for process in processes if (error := process.communicate()[1])]
    assert failures == []
    database = Database(empty_url)
    database.require_current()
    assert database.check() == ()
    database.close()
