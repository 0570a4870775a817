"""What the ledgers of all databases share: how an account is read, how a receipt is taken back."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from entitlements_core.errors import StoreError
from entitlements_core.policy.limits import BandwidthUnit, Limits, Usage
from entitlements_core.policy.metering import Account, Schedule
from entitlements_core.policy.period import ResetPeriod
from entitlements_core.store.ledger import Receipt
from entitlements_core.store.moments import from_micros, to_micros

__all__ = ["ACCOUNT_COLUMNS", "account_of", "take_back"]

Execute = Callable[[str, tuple[object, ...]], Any]
"""Runs a statement with ``?`` for its values, and gives the driver's cursor."""

ACCOUNT_COLUMNS: Final = """
    t.limit_num_downloads, t.limit_num_clients, t.limit_bandwidth, t.limit_bandwidth_unit,
    t.scheduled_reset_period, t.reset_anchor, u.since, u.downloads, u.clients, u.bandwidth,
    u.last_used_at
"""
"""What `account_of` reads, of ``tokens t`` and ``usage u``."""

_LEAVE_TRANSFER: Final = """
    UPDATE downloads SET requests = requests - 1, bandwidth = bandwidth - ?
    WHERE id = (SELECT max(id) FROM downloads WHERE token_id = ? AND repository_id = ?
                AND filename = ? AND client = ? AND at = ?)
"""
_DROP_DOWNLOAD: Final = """
    DELETE FROM downloads WHERE token_id = ? AND repository_id = ? AND filename = ?
    AND client = ? AND at = ? AND requests = 0
"""
_LEAVE_COLLECTION: Final = """
    UPDATE partial_downloads SET collected = collected - ?
    WHERE token_id = ? AND repository_id = ? AND filename = ? AND client = ?
"""
_COLLECT_AGAIN: Final = """
    INSERT INTO partial_downloads (token_id, repository_id, filename, client, collected, since)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (token_id, repository_id, filename, client)
    DO UPDATE SET collected = partial_downloads.collected + excluded.collected
"""
OTHERS: Final = ""
"""No client's name: under it stands what others had collected of a file, by now without names."""
_DROP_CLIENT: Final = """
    DELETE FROM clients WHERE token_id = ? AND client = ? AND since = ?
    AND NOT EXISTS (SELECT 1 FROM downloads d WHERE d.token_id = clients.token_id
                    AND d.client = clients.client AND d.at >= clients.since)
    AND NOT EXISTS (SELECT 1 FROM partial_downloads p WHERE p.token_id = clients.token_id
                    AND p.client = clients.client AND p.collected > 0)
"""
_GIVE_BACK: Final = """
    UPDATE usage SET downloads = downloads - ?, clients = clients - ?, bandwidth = bandwidth - ?
    WHERE token_id = ? AND since = ?
"""


def take_back(execute: Execute, receipt: Receipt) -> None:
    """Undo what a receipt took, but for what others rely on. The account is locked.

    A download that another answer rides on stays counted, and so does a client that got anything:
    otherwise an answer that failed could let one more through than the limit says.
    """
    entry, taken = receipt.entry, receipt.taken
    key = (entry.token_id, receipt.repository_id, entry.filename, entry.client)
    since = to_micros(taken.usage.since)
    downloads = clients = 0
    if taken.transfer.counted_at is None:
        execute(_LEAVE_COLLECTION, (entry.length, *key))
    else:
        place = (*key, to_micros(taken.transfer.counted_at))
        execute(_LEAVE_TRANSFER, (entry.length, *place))
        downloads = execute(_DROP_DOWNLOAD, place).rowcount
        if downloads and taken.counted:
            _collect_again(execute, receipt)
    if taken.new_client:
        clients = execute(_DROP_CLIENT, (entry.token_id, entry.client, since)).rowcount
    execute(_GIVE_BACK, (downloads, clients, entry.length, entry.token_id, since))


def _collect_again(execute: Execute, receipt: Receipt) -> None:
    """Put back the ranges that had become part of a download which is none after all."""
    entry, before, after = receipt.entry, receipt.before, receipt.taken.transfer
    file = (entry.token_id, receipt.repository_id, entry.filename)
    now = to_micros(entry.now)
    for client, size in (
        (entry.client, before.collected),
        (OTHERS, before.others - after.others),
    ):
        if size > 0:
            execute(_COLLECT_AGAIN, (*file, client, size, now))


def account_of(row: Sequence[object]) -> Account:
    """The account of a row of `ACCOUNT_COLUMNS`.

    Raises:
        StoreError: when the row holds what no version of this code wrote.
    """
    *rules, since, downloads, clients, bandwidth, used_at = row
    limits, schedule = _rules(*rules)
    return Account(
        limits=limits,
        schedule=schedule,
        usage=Usage(
            since=from_micros(_whole(since)),
            downloads=_whole(downloads),
            clients=_whole(clients),
            bandwidth=_whole(bandwidth),
        ),
        used_at=None if used_at is None else from_micros(_whole(used_at)),
    )


@lru_cache(maxsize=16_384)
def _rules(*row: object) -> tuple[Limits, Schedule]:
    downloads, clients, bandwidth, unit, period, anchor = row
    try:
        factor, resets = BandwidthUnit(str(unit)).bytes, ResetPeriod(str(period))
    except ValueError as error:
        raise StoreError(f"The store holds a limit that cannot be read: {error}.") from None
    return (
        Limits(
            downloads=_limit(downloads),
            clients=_limit(clients),
            bandwidth=None if bandwidth is None else _whole(bandwidth) * factor,
        ),
        Schedule(period=resets, anchor=from_micros(_whole(anchor))),
    )


def _limit(value: object) -> int | None:
    return None if value is None else _whole(value)


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise StoreError(f"The store holds {value!r} where a whole number belongs.")
    return value
