"""The store's log: heard from, and worked off away from requests."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from entitlements_core.store import checkpoints
from entitlements_core.store.checkpoints import Checkpoints
from entitlements_core.store.signal import CommitSignal


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a store in WAL mode that has read and written."""
    connection = connect(tmp_path / "store.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE numbers (n)")
    yield connection
    connection.close()


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def fill(connection: sqlite3.Connection, rows: int) -> None:
    for number in range(rows):
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))


def finish(name: str) -> None:
    for thread in threading.enumerate():
        if name in thread.name:
            thread.join(30)


def test_the_signal_changes_with_every_commit_of_any_connection(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    signal, other = CommitSignal(tmp_path / "store.db"), connect(tmp_path / "store.db")
    heard = {signal.read()}
    for writer in (connection, other, connection):
        fill(writer, 1)
        heard.add(signal.read())
    other.close()

    assert None not in heard
    assert len(heard) == 4
    assert signal.read() == signal.read()


def test_what_does_not_commit_is_not_heard(connection: sqlite3.Connection, tmp_path: Path) -> None:
    signal = CommitSignal(tmp_path / "store.db")
    before = signal.read()

    connection.execute("SELECT count(*) FROM numbers").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO numbers VALUES (1)")
    connection.execute("ROLLBACK")

    assert signal.read() == before


def test_without_a_log_there_is_nothing_to_rely_on(tmp_path: Path) -> None:
    signal = CommitSignal(tmp_path / "none.db")

    assert signal.read() is None
    assert signal.frames() == (0, 0)


@pytest.mark.parametrize("content", [b"", bytes(136), b"\x01" * 136])
def test_a_header_that_is_not_ours_is_not_trusted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.db-shm").write_bytes(content)

    assert CommitSignal(tmp_path / "store.db").read() is None


def test_a_long_log_is_worked_off_in_the_background(
    connection: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "BEGIN_AT", 50)
    path = tmp_path / "store.db"
    keeping, signal = Checkpoints(path, lambda: connect(path)), CommitSignal(path)

    fill(connection, 20)
    keeping.after_commit()
    assert signal.frames()[1] >= 20

    fill(connection, 60)
    keeping.after_commit()
    finish("_in_background")
    assert signal.frames()[1] == 0


def test_a_huge_log_is_emptied_before_the_request_goes_on(
    connection: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "WAIT_AT", 50)
    path = tmp_path / "store.db"
    keeping, signal = Checkpoints(path, lambda: connect(path)), CommitSignal(path)

    fill(connection, 60)
    keeping.after_commit()
    fill(connection, 1)

    assert signal.frames()[0] < 50


def test_a_log_that_cannot_be_worked_off_is_told_and_breaks_nothing(
    connection: sqlite3.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(checkpoints, "WAIT_AT", 1)

    def broken() -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    fill(connection, 2)
    Checkpoints(tmp_path / "store.db", broken).after_commit()

    assert "could not be worked off: disk I/O error" in caplog.text
