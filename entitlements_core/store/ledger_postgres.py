"""The counters on PostgreSQL: two round trips for a batch, however many answers it holds."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from entitlements_core.errors import StoreError
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.metering import CLOCK_SKEW
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.ledger import Book, Contended, Entry, Receipt
from entitlements_core.store.ledger_rows import ACCOUNT_COLUMNS, account_of, take_back
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.postgres import BoundConnection
from entitlements_core.store.postgres_stack import PostgresStack
from entitlements_core.store.prepared_statements import run_prepared

__all__ = ["PostgresLedger"]

# A batch waits for nobody, and whoever waits holds nothing: none waits for one that waits for it.
# With the token's own row, which the record of a download refers to, nothing is left to wait for.
_LOCK_FREE: Final = (
    "SELECT u.token_id FROM usage u JOIN tokens t ON t.id = u.token_id"
    " WHERE u.token_id = ANY(?::bigint[]) ORDER BY u.token_id"
    " FOR UPDATE OF u SKIP LOCKED FOR KEY SHARE OF t SKIP LOCKED"
)
# The rules are read by a statement of their own: it sees what was committed during a wait.
_LOCK: Final = (
    "SELECT token_id FROM usage WHERE token_id = ANY(?::bigint[]) ORDER BY token_id FOR UPDATE"
)
_ACCOUNTS: Final = (
    f"SELECT u.token_id, {ACCOUNT_COLUMNS} FROM usage u JOIN tokens t ON t.id = u.token_id"  # noqa: S608 - only constants are put together
    " WHERE u.token_id = ANY(?::bigint[])"
)
_PAST: Final = """
    SELECT k.token_id, k.owner || '/' || k.slug, r.id, k.filename, k.client,
           (SELECT c.since FROM clients c WHERE c.token_id = k.token_id AND c.client = k.client),
           (SELECT max(d.at) FROM downloads d WHERE d.token_id = k.token_id
            AND d.filename = k.filename AND d.client = k.client AND d.repository_id = r.id
            AND d.at < k.latest),
           (SELECT p.collected FROM partial_downloads p WHERE p.token_id = k.token_id
            AND p.repository_id = r.id AND p.filename = k.filename AND p.client = k.client),
           (SELECT CAST(sum(p.collected) AS bigint) FROM partial_downloads p
            WHERE p.token_id = k.token_id AND p.repository_id = r.id AND p.filename = k.filename)
    FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[])
         AS k(token_id, owner, slug, filename, client, latest)
    JOIN repositories r ON r.owner = k.owner AND r.slug = k.slug
"""
_SAVE_USAGE: Final = """
    UPDATE usage u SET since = n.since, downloads = n.downloads, clients = n.clients,
                       bandwidth = n.bandwidth, last_used_at = n.used
    FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
         AS n(token_id, since, downloads, clients, bandwidth, used)
    WHERE u.token_id = n.token_id
"""
_SAVE_CLIENTS: Final = """
    INSERT INTO clients (token_id, client, since, first_seen_at, last_seen_at)
    SELECT token_id, client, since, now, now
    FROM unnest(?::bigint[], ?::text[], ?::bigint[], ?::bigint[])
         AS n(token_id, client, since, now)
    ON CONFLICT (token_id, client)
    DO UPDATE SET since = excluded.since, last_seen_at = excluded.last_seen_at
"""
_SAVE_DOWNLOADS: Final = """
    INSERT INTO downloads (token_id, repository_id, filename, client, at, project, version,
                           user_agent, bandwidth, requests)
    SELECT *, 1 FROM unnest(?::bigint[], ?::int[], ?::text[], ?::text[], ?::bigint[],
                            ?::text[], ?::text[], ?::text[], ?::bigint[])
"""
_SAVE_RIDERS: Final = """
    UPDATE downloads d SET requests = d.requests + n.requests, bandwidth = d.bandwidth + n.length
    FROM unnest(?::bigint[], ?::int[], ?::text[], ?::text[], ?::bigint[], ?::int[],
                ?::bigint[]) AS n(token_id, repository_id, filename, client, at, requests, length)
    WHERE d.token_id = n.token_id AND d.filename = n.filename AND d.client = n.client
      AND d.at = n.at AND d.repository_id = n.repository_id
"""
_SAVE_COLLECTED: Final = """
    INSERT INTO partial_downloads (token_id, repository_id, filename, client, collected, since)
    SELECT * FROM unnest(?::bigint[], ?::int[], ?::text[], ?::text[], ?::bigint[],
                         ?::bigint[])
    ON CONFLICT (token_id, repository_id, filename, client)
    DO UPDATE SET collected = excluded.collected, since = excluded.since
"""
_EMPTY: Final = """
    DELETE FROM partial_downloads p
    USING unnest(?::bigint[], ?::int[], ?::text[]) AS n(token_id, repository_id, filename)
    WHERE p.token_id = n.token_id AND p.repository_id = n.repository_id
      AND p.filename = n.filename
"""
_DROP_COLLECTED: Final = """
    DELETE FROM partial_downloads p
    USING unnest(?::bigint[], ?::int[], ?::text[], ?::text[])
          AS n(token_id, repository_id, filename, client)
    WHERE p.token_id = n.token_id AND p.repository_id = n.repository_id
      AND p.filename = n.filename AND p.client = n.client
"""
# Nor is anything waited for here: a use that meets a change of its secret goes unnoted.
_SAVE_FORMER: Final = """
    WITH free AS (
        SELECT s.digest, s.repository_id, n.used
        FROM unnest(?::bigint[], ?::int[], ?::int[], ?::bigint[])
             AS n(token_id, repository_id, former, used)
        JOIN secrets s ON s.token_id = n.token_id AND s.repository_id = n.repository_id
                      AND s.former = n.former
        FOR NO KEY UPDATE OF s SKIP LOCKED
    )
    UPDATE secrets s SET last_used_at = free.used FROM free
    WHERE s.digest = free.digest AND s.repository_id = free.repository_id
"""


class PostgresLedger:
    """Keeps the book in the PostgreSQL database of `url`.

    Args:
        place: the database's address, or a URL with the timeouts of requests.
    """

    def __init__(self, place: str | DatabaseURL) -> None:
        self._stack = PostgresStack(DatabaseURL.of(place))

    def commit(
        self, entries: Sequence[Entry], *, waits: bool = False
    ) -> list[Receipt | Deny | StoreError]:
        """See `LedgerDriver.commit`."""
        with self._stack.begun(lambda one: _open_book(one, entries, waits=waits)) as begun:
            connection, (book, faults) = begun
            outcomes = [_post(book, entry, faults) for entry in entries]
            _close_book(connection, book)
        return outcomes

    def cancel(self, receipt: Receipt) -> None:
        """See `LedgerDriver.cancel`."""
        with self._stack.begun(lambda one: _lock(one, receipt.entry.token_id)) as (connection, _):
            take_back(
                lambda statement, values: connection.execute(
                    statement.replace("?", "%s").encode(), values
                ),
                receipt,
            )
            connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the connections."""
        self._stack.close()


def _lock(connection: BoundConnection, token_id: int) -> None:
    run_prepared(connection, ("BEGIN", ()), (_LOCK, ([token_id],)))


def _open_book(
    connection: BoundConnection, entries: Sequence[Entry], *, waits: bool
) -> tuple[Book, dict[int, StoreError]]:
    """What a batch touches, its counters locked; and the tokens that cannot be counted, and why."""
    tokens = sorted({entry.token_id for entry in entries})
    _, locked, accounts, past = run_prepared(
        connection,
        ("BEGIN", ()),
        (_LOCK if waits else _LOCK_FREE, (tokens,)),
        (_ACCOUNTS, (tokens,)),
        (_PAST, _columns(_places(entries), 6)),
    )
    free = {token_id for (token_id,) in locked}
    book = Book()
    faults: dict[int, StoreError] = {}
    for token_id, *row in accounts:
        try:
            book.accounts[token_id] = account_of(row)
        except StoreError as error:
            faults[token_id] = error
        if token_id not in free:
            faults[token_id] = Contended("Another process holds the counters of the token.")
    for place in past:
        _read_past(book, place)
    return book, faults


def _places(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    """What each transfer is looked up by, once; as late as the last of its entries allows."""
    latest: dict[tuple[object, ...], int] = {}
    for entry in entries:
        owner, _, slug = entry.repository.partition("/")
        place = (entry.token_id, owner, slug, entry.filename, entry.client)
        latest[place] = max(latest.get(place, 0), to_micros(entry.now + CLOCK_SKEW))
    return [(*place, moment) for place, moment in latest.items()]


def _read_past(book: Book, row: tuple[Any, ...]) -> None:
    token_id, repository, repository_id, filename, client, *past = row
    known_since, counted_at, collected, pool = past
    book.repositories[repository] = repository_id
    if known_since is not None:
        book.clients[token_id, client] = from_micros(known_since)
    book.recall(
        (token_id, repository_id, filename, client),
        None if counted_at is None else from_micros(counted_at),
        collected or 0,
        pool or 0,
    )


def _post(book: Book, entry: Entry, faults: dict[int, StoreError]) -> Receipt | Deny | StoreError:
    try:
        return faults.get(entry.token_id) or book.post(entry)
    except StoreError as error:
        return error


def _close_book(connection: BoundConnection, book: Book) -> None:
    """Write back what changed, and commit."""
    changes = (
        (_SAVE_USAGE, _usage_rows(book), 6),
        (_SAVE_CLIENTS, _client_rows(book), 4),
        (_SAVE_DOWNLOADS, _download_rows(book), 9),
        (_SAVE_RIDERS, _rider_rows(book), 7),
        (_EMPTY, list(book.emptied), 3),
        (_SAVE_COLLECTED, _collected_rows(book), 6),
        (_DROP_COLLECTED, [key for key, (size, _) in book.collected.items() if not size], 4),
        (_SAVE_FORMER, _former_rows(book), 4),
    )
    questions = [(statement, _columns(rows, width)) for statement, rows, width in changes if rows]
    run_prepared(connection, *questions, ("COMMIT", ()))


def _usage_rows(book: Book) -> list[tuple[object, ...]]:
    return [
        (
            token_id,
            to_micros(usage.since),
            usage.downloads,
            usage.clients,
            usage.bandwidth,
            to_micros(now),
        )
        for token_id, (usage, now) in book.usage_after.items()
    ]


def _client_rows(book: Book) -> list[tuple[object, ...]]:
    return [
        (token_id, client, to_micros(since), to_micros(now))
        for (token_id, client), (since, now) in book.clients_after.items()
    ]


def _download_rows(book: Book) -> list[tuple[object, ...]]:
    return [
        (
            *key,
            to_micros(entry.now),
            entry.project,
            entry.version,
            entry.user_agent,
            entry.length,
        )
        for key, entry in book.downloads
    ]


def _rider_rows(book: Book) -> list[tuple[object, ...]]:
    """One row for each download: an UPDATE changes a row once, however many ride on it."""
    sums: dict[tuple[object, ...], tuple[int, int]] = {}
    for key, counted_at, length in book.riders:
        place = (*key, to_micros(counted_at))
        requests, total = sums.get(place, (0, 0))
        sums[place] = (requests + 1, total + length)
    return [(*place, *amounts) for place, amounts in sums.items()]


def _collected_rows(book: Book) -> list[tuple[object, ...]]:
    return [
        (*key, collected, to_micros(now))
        for key, (collected, now) in book.collected.items()
        if collected
    ]


def _former_rows(book: Book) -> list[tuple[object, ...]]:
    return [(*secret, to_micros(now)) for secret, now in book.former.items()]


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows turned into arrays, one for each of `width` columns."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
