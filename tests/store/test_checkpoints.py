"""The store's log, worked off away from requests."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from entitlements_core.store import checkpoints
from entitlements_core.store.checkpoints import Checkpoints
from entitlements_core.store.wal_index import WalIndex
from tests.store.logs import connect, fill


def finish(name: str) -> None:
    for thread in threading.enumerate():
        if name in thread.name:
            thread.join(30)


def test_a_long_log_is_worked_off_in_the_background(
    connection: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "BEGIN_AT", 50)
    path = tmp_path / "store.db"
    keeping, index = Checkpoints(path, lambda: connect(path)), WalIndex(path)

    fill(connection, 20)
    keeping.after_commit()
    assert index.frames()[1] >= 20

    fill(connection, 60)
    keeping.after_commit()
    finish("_in_background")
    assert index.frames()[1] == 0


def test_a_huge_log_is_emptied_before_the_request_goes_on(
    connection: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "WAIT_AT", 50)
    path = tmp_path / "store.db"
    keeping, index = Checkpoints(path, lambda: connect(path)), WalIndex(path)

    fill(connection, 60)
    keeping.after_commit()
    fill(connection, 1)

    assert index.frames()[0] < 50


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
