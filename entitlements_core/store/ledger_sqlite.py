"""The counters on SQLite: one writer at a time, across threads and processes."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from entitlements_core.errors import StoreError
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.metering import CLOCK_SKEW
from entitlements_core.store.checkpoints import Checkpoints
from entitlements_core.store.connections import open_sqlite
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseLocked, failure_of
from entitlements_core.store.ledger import Book, Entry, Receipt
from entitlements_core.store.ledger_rows import ACCOUNT_COLUMNS, account_of, take_back
from entitlements_core.store.lock_file import LockFile
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.store_file import StoreConnection

__all__ = ["SqliteLedger"]

WRITER_CACHE: Final = 16 * 1024
"""KiB; the counters of the busiest tokens stay in memory."""

SHORTEST_PAUSE: Final = 0.000_2
LONGEST_PAUSE: Final = 0.005
"""Seconds between two attempts to begin, while another program holds the store's lock."""

_LOAD: Final = f"""
    SELECT {ACCOUNT_COLUMNS}, r.id,
           (SELECT since FROM clients WHERE token_id = ?1 AND client = ?5),
           (SELECT max(at) FROM downloads
            WHERE token_id = ?1 AND filename = ?4 AND client = ?5 AND repository_id = r.id
            AND at < ?6),
           (SELECT collected FROM partial_downloads
            WHERE token_id = ?1 AND repository_id = r.id AND filename = ?4 AND client = ?5),
           (SELECT sum(collected) FROM partial_downloads
            WHERE token_id = ?1 AND repository_id = r.id AND filename = ?4)
    FROM usage u JOIN tokens t ON t.id = u.token_id
    JOIN repositories r ON r.owner = ?2 AND r.slug = ?3
    WHERE u.token_id = ?1
"""  # noqa: S608 - only constants are put together
# One statement, since each one gives other threads of the process a turn while the store is locked.
_SAVE_USAGE: Final = """
    UPDATE usage SET since = ?, downloads = ?, clients = ?, bandwidth = ?, last_used_at = ?
    WHERE token_id = ?
"""
_SAVE_CLIENT: Final = """
    INSERT INTO clients (token_id, client, since, first_seen_at, last_seen_at)
    VALUES (?1, ?2, ?3, ?4, ?4)
    ON CONFLICT (token_id, client) DO UPDATE SET since = ?3, last_seen_at = ?4
"""
_SAVE_DOWNLOAD: Final = """
    INSERT INTO downloads (at, token_id, repository_id, project, version, filename, client,
                           user_agent, requests, bandwidth)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)
"""
_SAVE_RIDER: Final = """
    UPDATE downloads SET requests = requests + 1, bandwidth = bandwidth + ?
    WHERE token_id = ? AND filename = ? AND client = ? AND at = ? AND repository_id = ?
"""
_SAVE_COLLECTED: Final = """
    INSERT INTO partial_downloads (token_id, repository_id, filename, client, collected, since)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (token_id, repository_id, filename, client)
    DO UPDATE SET collected = excluded.collected, since = excluded.since
"""
_EMPTY: Final = """
    DELETE FROM partial_downloads WHERE token_id = ? AND repository_id = ? AND filename = ?
"""
_DROP_COLLECTED: Final = """
    DELETE FROM partial_downloads
    WHERE token_id = ? AND repository_id = ? AND filename = ? AND client = ?
"""
_SAVE_FORMER: Final = """
    UPDATE secrets SET last_used_at = ?
    WHERE token_id = ? AND repository_id = ? AND former = ?
"""


class SqliteLedger:
    """Keeps the book in the SQLite file of `url`.

    Processes take turns at a lock file beside it, and look at it again after a fraction of a
    transaction's length. SQLite's own pauses are a hundred times as long, and late ones starve.

    Args:
        place: the store's address, or a URL with the timeouts of requests.
        synchronous: FULL or NORMAL, as for `open_sqlite`.
        key_fingerprint: as for `open_sqlite`.
    """

    def __init__(
        self,
        place: str | DatabaseURL,
        *,
        synchronous: str = "NORMAL",
        key_fingerprint: str | None = None,
    ) -> None:
        address = DatabaseURL.of(place)
        database = address.path
        self._address = address
        self._stack = open_sqlite(
            address,
            synchronous=synchronous,
            cache_kib=WRITER_CACHE,
            key_fingerprint=key_fingerprint,
        )
        self._lock_file = LockFile(Path(f"{database}.lock"))
        self._checkpoints = Checkpoints(database, self._stack.connect)

    def commit(
        self,
        entries: Sequence[Entry],
        *,
        waits: bool = True,  # noqa: ARG002 - see below
    ) -> list[Receipt | Deny | StoreError]:
        """See `LedgerDriver.commit`; one lock is all that there is, so it is waited for."""
        with self._transaction() as connection:
            book = Book()
            outcomes: list[Receipt | Deny | StoreError] = []
            for entry in entries:
                try:
                    _load(connection, book, entry)
                    outcomes.append(book.post(entry))
                except StoreError as error:
                    outcomes.append(error)
            _save(connection, book)
        return outcomes

    def cancel(self, receipt: Receipt) -> None:
        """See `LedgerDriver.cancel`."""
        with self._transaction() as connection:
            take_back(connection.execute, receipt)

    def close(self) -> None:
        """Let go of the connections."""
        self._stack.close()
        self._lock_file.close()

    @contextmanager
    def _transaction(self) -> Iterator[StoreConnection]:
        patience = self._address.timeouts.lock
        deadline = time.monotonic() + patience
        try:
            with self._lock_file.held(within=patience / 2):
                connection = self._begun(deadline)
                try:
                    yield connection
                    connection.execute("COMMIT")
                    # What was counted in a file that is gone counts nowhere.
                    self._stack.require(connection)
                    self._checkpoints.after_commit(connection.identity)
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        connection.close()  # which takes back what was not committed
                    raise
                self._stack.give_back(connection)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The counters cannot be kept: {error}.") from error

    def _begun(self, deadline: float) -> StoreConnection:
        """A connection that holds the store's lock.

        Raises:
            StoreError: when another process holds it until `deadline` (monotonic seconds).
        """
        pause = SHORTEST_PAUSE
        while True:
            try:
                connection: StoreConnection = self._stack.take()
                try:
                    if connection.is_patient:
                        # SQLite's own waiting would hold every greenlet of a process.
                        connection.execute("PRAGMA busy_timeout = 0")
                        connection.is_patient = False
                    # IMMEDIATE: one that reads first and writes later could be refused.
                    connection.execute("BEGIN IMMEDIATE")
                except BaseException as error:
                    if not _is_locked(error):
                        connection.close()
                        raise
                    self._stack.give_back(connection)
                    raise failure_of(error, str(self._address)) from error
            except DatabaseLocked:
                if time.monotonic() >= deadline:
                    raise
            else:
                return connection
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)


def _is_locked(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def _load(connection: sqlite3.Connection, book: Book, entry: Entry) -> None:
    """Add to the book what `entry` touches and an earlier one did not."""
    repository_id = book.repositories.get(entry.repository, 0)
    if (entry.token_id, repository_id, entry.filename, entry.client) in book.transfers:
        return
    owner, _, slug = entry.repository.partition("/")
    latest = to_micros(entry.now + CLOCK_SKEW)
    place = (entry.token_id, owner, slug, entry.filename, entry.client, latest)
    row = connection.execute(_LOAD, place).fetchone()
    if row is None:
        return
    *account, repository_id, known_since, counted_at, collected, pool = row
    # What the book has of an earlier entry is newer than what the store has.
    if entry.token_id not in book.accounts:
        book.accounts[entry.token_id] = account_of(account)
    if known_since is not None:
        book.clients.setdefault((entry.token_id, entry.client), from_micros(known_since))
    book.repositories[entry.repository] = repository_id
    book.recall(
        (entry.token_id, repository_id, entry.filename, entry.client),
        None if counted_at is None else from_micros(counted_at),
        collected or 0,
        pool or 0,
    )


def _save(connection: sqlite3.Connection, book: Book) -> None:
    connection.executemany(
        _SAVE_USAGE,
        [
            (
                to_micros(usage.since),
                usage.downloads,
                usage.clients,
                usage.bandwidth,
                to_micros(now),
                token_id,
            )
            for token_id, (usage, now) in book.usage_after.items()
        ],
    )
    connection.executemany(
        _SAVE_CLIENT,
        [
            (token_id, client, to_micros(since), to_micros(now))
            for (token_id, client), (since, now) in book.clients_after.items()
        ],
    )
    connection.executemany(
        _SAVE_DOWNLOAD,
        [
            (
                to_micros(entry.now),
                token_id,
                repository_id,
                entry.project,
                entry.version,
                filename,
                client,
                entry.user_agent,
                entry.length,
            )
            for (token_id, repository_id, filename, client), entry in book.downloads
        ],
    )
    for (token_id, repository_id, filename, client), at, length in book.riders:
        connection.execute(
            _SAVE_RIDER, (length, token_id, filename, client, to_micros(at), repository_id)
        )
    for file in book.emptied:
        connection.execute(_EMPTY, file)
    for key, (collected, now) in book.collected.items():
        if collected:
            connection.execute(_SAVE_COLLECTED, (*key, collected, to_micros(now)))
        else:
            connection.execute(_DROP_COLLECTED, key)
    for secret, now in book.former.items():
        connection.execute(_SAVE_FORMER, (to_micros(now), *secret))
