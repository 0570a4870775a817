"""The counters: what an answer takes is decided and stored in one transaction, before it is sent.

Requests that arrive while a transaction is being made durable wait together and share the next one,
so that the cost of a commit is divided among them. The first to arrive does the work for all
(a combining lock): there is no thread of our own to start, to fork or to lose.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from entitlements_core.errors import StoreError
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.metering import (
    Account,
    Demand,
    Taken,
    Transfer,
    reserve,
    rolled,
)

__all__ = [
    "Account",
    "Book",
    "Entry",
    "FileKey",
    "Ledger",
    "LedgerDriver",
    "Receipt",
    "TransferKey",
]

BATCH: Final = 256
"""The most answers that share a transaction."""

TransferKey = tuple[int, int, str, str]
"""Token, repository, file name, client."""
ClientKey = tuple[int, str]
"""Token, client."""
FileKey = tuple[int, int, str]
"""Token, repository, file name: a `TransferKey` without its client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One answer that wants to be sent.

    Attributes:
        token_id: whose counters.
        repository: ``owner/slug``.
        project, version, filename: of the distribution file.
        client: the address or network that counts as the client.
        user_agent: for the record.
        size: of the whole file, bytes.
        start: the first byte sent, inclusive.
        length: bytes to be sent.
        window: for how long further answers ride on a counted download.
        now: aware, UTC.
    """

    token_id: int
    repository: str
    project: str
    version: str
    filename: str
    client: str
    user_agent: str
    size: int
    start: int
    length: int
    window: timedelta
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An admitted and stored answer; `Ledger.cancel` takes it back.

    Attributes:
        entry: what was asked.
        repository_id: the store's number of the repository.
        taken: what it took.
        before: what had been fetched of the file before it.
    """

    entry: Entry
    repository_id: int
    taken: Taken
    before: Transfer = field(default_factory=Transfer)


@dataclass(slots=True)
class Book:
    """The part of the counters that one batch touches, held in memory for its transaction.

    A driver fills it under lock, `post` applies each entry in turn, and the driver writes back what
    changed.
    """

    accounts: dict[int, Account] = field(default_factory=dict)
    repositories: dict[str, int] = field(default_factory=dict)
    clients: dict[ClientKey, datetime] = field(default_factory=dict)
    """When each client's period began; it counts when that is the account's `since`."""
    transfers: dict[TransferKey, Transfer] = field(default_factory=dict)
    pools: dict[FileKey, int] = field(default_factory=dict)
    """Bytes that all clients of a token collected of a file."""

    usage_after: dict[int, tuple[Usage, datetime]] = field(default_factory=dict)
    clients_after: dict[ClientKey, tuple[datetime, datetime]] = field(default_factory=dict)
    """New clients of the period: when it began, and now."""
    downloads: list[tuple[TransferKey, Entry]] = field(default_factory=list)
    riders: list[tuple[TransferKey, datetime, int]] = field(default_factory=list)
    emptied: set[FileKey] = field(default_factory=set)
    """Of which files nothing is collected any more, by nobody; written before `collected`."""
    collected: dict[TransferKey, tuple[int, datetime]] = field(default_factory=dict)

    def recall(
        self, key: TransferKey, counted_at: datetime | None, collected: int, pool: int
    ) -> None:
        """Enter what the store has of a transfer; what the book knows already is newer.

        Args:
            key: of the transfer.
            counted_at: as in `Transfer`.
            collected: bytes, by this client.
            pool: bytes, by all clients of the token.
        """
        file = key[:3]
        kept = 0 if file in self.emptied else collected
        self.pools.setdefault(file, pool)
        self.transfers.setdefault(key, Transfer(counted_at=counted_at, collected=kept))

    def post(self, entry: Entry) -> Receipt | Deny:
        """Decide on one entry and note what it changes.

        Raises:
            StoreError: when the token or the repository is gone.
        """
        account = self.accounts.get(entry.token_id)
        repository_id = self.repositories.get(entry.repository)
        if account is None or repository_id is None:
            raise StoreError("The token or its repository was removed during the request.")
        key = (entry.token_id, repository_id, entry.filename, entry.client)
        client = (entry.token_id, entry.client)
        account = rolled(account, entry.now)
        since = account.usage.since
        transfer = self._transfer(key)
        outcome = reserve(
            account,
            transfer,
            Demand(
                size=entry.size,
                start=entry.start,
                length=entry.length,
                client_known=self.clients.get(client) == since,
                window=entry.window,
                now=entry.now,
            ),
        )
        if isinstance(outcome, Deny):
            return outcome
        self.accounts[entry.token_id] = replace(account, usage=outcome.usage)
        self.usage_after[entry.token_id] = (outcome.usage, entry.now)
        if outcome.new_client:
            self.clients[client] = since
            self.clients_after[client] = (since, entry.now)
        self._note_transfer(key, entry, transfer, outcome)
        return Receipt(entry=entry, repository_id=repository_id, taken=outcome, before=transfer)

    def _transfer(self, key: TransferKey) -> Transfer:
        known = self.transfers.get(key, Transfer())
        return replace(known, others=self.pools.get(key[:3], 0) - known.collected)

    def _note_transfer(
        self, key: TransferKey, entry: Entry, before: Transfer, outcome: Taken
    ) -> None:
        after = outcome.transfer
        self.transfers[key] = after
        self.pools[key[:3]] = after.collected + after.others
        if outcome.counted:
            self.downloads.append((key, entry))
            if before.others > after.others:
                self._empty(key[:3])
            elif before.collected:
                self.collected[key] = (0, entry.now)
        elif after.counted_at is not None:
            self.riders.append((key, after.counted_at, entry.length))
        else:
            self.collected[key] = (after.collected, entry.now)

    def _empty(self, file: FileKey) -> None:
        """What all clients collected of a file has become a download."""
        self.emptied.add(file)
        for key in [key for key in self.collected if key[:3] == file]:
            del self.collected[key]
        for key, transfer in self.transfers.items():
            if key[:3] == file:
                self.transfers[key] = replace(transfer, collected=0)


class LedgerDriver(Protocol):
    """How a database keeps the book."""

    def commit(self, entries: Sequence[Entry]) -> list[Receipt | Deny | StoreError]:
        """Post all entries in one durable transaction; one outcome for each, in order.

        An outcome is an error where only that entry is at fault.

        Raises:
            StoreError: when nothing was stored.
        """
        ...

    def cancel(self, receipt: Receipt) -> None:
        """Take back what a receipt took, where its period is still the current one.

        Raises:
            StoreError: when nothing was stored.
        """
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...


class _Slot:
    """A waiting request; `ready` is released when its outcome is there, or for it to lead."""

    __slots__ = ("entry", "outcome", "ready")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.outcome: Receipt | Deny | StoreError | None = None
        self.ready = threading.Lock()
        self.ready.acquire()


class Ledger:
    """Reserves answers, many in one transaction.

    Args:
        driver: of the database.
    """

    _led: bool

    def __init__(self, driver: LedgerDriver) -> None:
        self._driver = driver
        self._begin_anew()
        ledger = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(ledger()))

    def reserve(self, entry: Entry) -> Receipt | Deny:
        """Take what an answer needs, durably, or say which limit it would pass.

        Raises:
            StoreError: when the counters cannot be kept; the answer must then not be sent.
        """
        slot = _Slot(entry)
        with self._mutex:
            self._waiting.append(slot)
            leads, self._led = not self._led, True
        if not leads:
            self._wait(slot)
        if slot.outcome is None:
            self._lead()
        outcome = slot.outcome
        if isinstance(outcome, Receipt | Deny):
            return outcome
        raise outcome or StoreError("The counters could not be kept.")

    def cancel(self, receipt: Receipt) -> None:
        """Take back a reservation of which not one byte was sent, after a fault of ours.

        Raises:
            StoreError: when that cannot be stored; the count then stays, on the safe side.
        """
        self._driver.cancel(receipt)

    def close(self) -> None:
        """Let go of the connections."""
        self._driver.close()

    def _begin_anew(self) -> None:
        """Nobody waits: at the start, and in a forked child, where the parent's threads are not."""
        self._mutex = threading.Lock()
        self._waiting: list[_Slot] = []
        self._led = False

    def _wait(self, slot: _Slot) -> None:
        try:
            slot.ready.acquire()
        except BaseException:
            # A greenlet's timeout, a signal: who is gone can neither be served nor lead.
            with self._mutex:
                if slot in self._waiting:
                    self._waiting.remove(slot)
                    if not slot.ready.locked():
                        self._appoint()
            raise

    def _appoint(self) -> None:
        """Let the first that waits lead, the mutex being held."""
        self._led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].ready.release()

    def _lead(self) -> None:
        """Commit the waiting requests, then hand the lead to the first that came meanwhile."""
        with self._mutex:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        outcomes: Sequence[Receipt | Deny | StoreError | None] = ()
        try:
            outcomes = self._driver.commit([slot.entry for slot in batch])
        except StoreError as error:
            outcomes = [error] * len(batch)
        finally:
            # Also when something unforeseen was raised: nobody may wait for ever, and a slot
            # without an outcome is a refusal.
            if len(outcomes) != len(batch):
                outcomes = [None] * len(batch)
            for slot, outcome in zip(batch, outcomes, strict=True):
                slot.outcome = outcome or StoreError("The counters could not be kept.")
            self._hand_over(batch)

    def _hand_over(self, batch: list[_Slot]) -> None:
        with self._mutex:
            self._appoint()
        for slot in batch:
            if slot.ready.locked():
                slot.ready.release()


def _after_fork(ledger: Ledger | None) -> None:
    if ledger is not None:
        ledger._begin_anew()  # noqa: SLF001 - the ledger's own, without keeping it alive
