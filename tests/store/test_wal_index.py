"""The header of SQLite's WAL index: another one after every commit, or none at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from entitlements_core.store.wal_index import WalIndex
from tests.store.logs import connect, fill


def test_the_header_changes_with_every_commit_of_any_connection(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    index, other = WalIndex(tmp_path / "store.db"), connect(tmp_path / "store.db")
    seen = {index.header()}
    for writer in (connection, other, connection):
        fill(writer, 1)
        seen.add(index.header())
    other.close()

    assert None not in seen
    assert len(seen) == 4
    assert index.header() == index.header()


def test_what_does_not_commit_changes_nothing(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    index = WalIndex(tmp_path / "store.db")
    before = index.header()

    connection.execute("SELECT count(*) FROM numbers").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO numbers VALUES (1)")
    connection.execute("ROLLBACK")

    assert index.header() == before


def test_without_a_log_there_is_nothing_to_rely_on(tmp_path: Path) -> None:
    index = WalIndex(tmp_path / "none.db")

    assert index.header() is None
    assert index.frames() == (0, 0)


@pytest.mark.parametrize("content", [b"", bytes(136), b"\x01" * 136])
def test_a_header_that_is_not_ours_is_not_trusted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.db-shm").write_bytes(content)

    assert WalIndex(tmp_path / "store.db").header() is None
