"""Raw connections: reused when sound, closed when not, never shared with another process."""

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from entitlements_core.errors import ConfigurationError, StoreError
from entitlements_core.store.connection_stack import ConnectionStack
from entitlements_core.store.connections import open_sqlite, open_stack
from entitlements_core.store.database_url import DatabaseURL
from tests.postgres import Server


class Fake:
    """A connection that knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_the_last_one_used_is_used_first() -> None:
    stack = ConnectionStack(Fake)
    first, second = stack.take(), stack.take()
    assert first is not second
    stack.give_back(first)
    stack.give_back(second)
    assert stack.take() is second
    assert stack.take() is first


def test_a_sound_connection_is_used_again() -> None:
    stack = ConnectionStack(Fake)
    first = stack.take()
    stack.give_back(first)
    assert stack.take() is first
    assert not first.closed


def test_closing_closes_what_is_idle() -> None:
    stack = ConnectionStack(Fake)
    idle, busy = stack.take(), stack.take()
    stack.give_back(idle)
    stack.close()
    assert idle.closed
    assert not busy.closed
    stack.give_back(busy)
    assert stack.take() is busy


def test_a_forked_child_begins_without_connections() -> None:
    stack = ConnectionStack(Fake)
    connection = stack.take()
    stack.give_back(connection)
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[tuple[bool, bool]] = fork.Queue()
    child = fork.Process(
        target=lambda: answers.put((stack.take() is connection, connection.closed))
    )
    child.start()
    assert answers.get(timeout=60) == (False, False)
    child.join(60)
    assert stack.take() is connection


def test_forgotten_connections_are_not_closed() -> None:
    stack = ConnectionStack(Fake)
    connection = stack.take()
    stack.give_back(connection)
    stack.forget()
    assert stack.take() is not connection
    assert not connection.closed


def test_another_database_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="neither a SQLite file nor a PostgreSQL database"):
        open_stack("mysql://user@host/store")


def test_a_file_name_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "50% off?#ü.db"
    sqlite3.connect(path).close()
    stack = open_stack(f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}")
    with closing(stack.take()) as connection:
        connection.execute("CREATE TABLE t (a)")
    assert path.stat().st_size > 0


@pytest.mark.parametrize("content", [None, b"no database at all" * 100], ids=["missing", "foreign"])
def test_what_is_no_database_is_not_opened(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "store.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_stack(f"sqlite:///{path}").take()
    assert path.exists() is (content is not None)


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("NORMAL", 1)])
def test_how_a_commit_is_kept(sqlite_template: Path, synchronous: str, level: int) -> None:
    url = DatabaseURL.parse(f"sqlite:///{sqlite_template}")
    with closing(open_sqlite(url, synchronous=synchronous).take()) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)


def test_postgres_keeps_what_it_acknowledged(postgres: Server, postgres_template: str) -> None:
    url = postgres.create("connections_settings", postgres_template)
    postgres.execute('ALTER DATABASE "connections_settings" SET synchronous_commit = off')
    with closing(open_stack(f"{url}&options=-c%20work_mem%3D5MB").take()) as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchall()[0][0]
            for name in ("synchronous_commit", "lock_timeout", "work_mem")
        ]
    assert shown == ["on", "3s", "5MB"]
    postgres.drop("connections_settings")


def test_an_unreachable_postgres_is_an_error_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://app:hunter2@/store?host={tmp_path}&port=5"
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        open_stack(url).take()
    assert "hunter2" not in str(caught.value)
