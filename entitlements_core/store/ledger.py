"""The counters: what an answer takes is decided and stored in one transaction, before it is sent.

Requests that arrive while a transaction is being made durable wait together and share the next one,
so that the cost of a commit is divided among them. The first to arrive does the work for all
(a combining lock): there is no thread of our own to start, to fork or to lose.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from entitlements_core.errors import StoreError
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.metering import (
    Account,
    Charge,
    ChargeRequest,
    Transfer,
    is_believed,
    reserve,
    rolled,
)
from entitlements_core.store.failures import DatabaseLocked

__all__ = ["Book", "Contended", "Entry", "Ledger", "LedgerDriver", "Receipt"]

BATCH: Final = 256
"""The most answers that share a transaction."""
SHARED: Final = 1.0
"""Seconds for which requests wait together. After that, the one that asks waits on alone: a server
has few threads, and pages and other tokens' files need them."""
FORGIVEN: Final = 2.0
"""Seconds after a failure from which on requests wait together again."""

FormerKey = tuple[int, int, int]
"""Token, repository, number of the former secret."""
TransferKey = tuple[int, int, str, str]
"""Token, repository, file name, client."""
ClientKey = tuple[int, str]
"""Token, client."""
FileKey = tuple[int, int, str]
"""Token, repository, file name: a `TransferKey` without its client."""


class Contended(StoreError):
    """Another process holds the counters of one token; those of others are free."""

    code = "store_locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(ChargeRequest):
    """One answer that wants to be sent, and whose counters it asks.

    Attributes:
        token_id: whose counters.
        repository: ``owner/slug``.
        project, version, filename: of the distribution file.
        client: the address or network that counts as the client.
        user_agent: for the record.
        former: as in `Credential`.
    """

    token_id: int
    repository: str
    project: str
    version: str
    filename: str
    client: str
    user_agent: str
    former: int | None = None


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
    taken: Charge
    before: Transfer = field(default_factory=Transfer)


_NOTHING: Final = Transfer()
"""Of a file that a client has not fetched before, as most have not."""


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
    former: dict[FormerKey, datetime] = field(default_factory=dict)
    """When each former secret was used; nothing is written of a current one."""

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
        first = counted_at is None and not kept
        found = _NOTHING if first else Transfer(counted_at=counted_at, collected=kept)
        self.transfers.setdefault(key, found)

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
            entry,
            client_known=self.clients.get(client) == since,
        )
        if isinstance(outcome, Deny):
            self._disbelieve(entry, account)
            return outcome
        self.accounts[entry.token_id] = Account(  # `replace` takes three times as long
            limits=account.limits,
            schedule=account.schedule,
            usage=outcome.usage,
            used_at=entry.now,
        )
        self.usage_after[entry.token_id] = (outcome.usage, entry.now)
        if entry.former is not None:
            self.former[entry.token_id, repository_id, entry.former] = entry.now
        if outcome.new_client:
            self.clients[client] = since
            self.clients_after[client] = (since, entry.now)
        self._note_transfer(key, entry, transfer, outcome)
        return Receipt(entry=entry, repository_id=repository_id, taken=outcome, before=transfer)

    def _disbelieve(self, entry: Entry, account: Account) -> None:
        """Note when a refused token was used, where nothing that is stored can be believed.

        Otherwise nobody could tell when its next reset has passed.
        """
        moments = (account.usage.since, account.used_at or entry.now)
        if not any(is_believed(moment, entry.now) for moment in moments):
            self.accounts[entry.token_id] = replace(account, used_at=entry.now)
            self.usage_after[entry.token_id] = (account.usage, entry.now)

    def _transfer(self, key: TransferKey) -> Transfer:
        known = self.transfers.get(key, _NOTHING)
        others = self.pools.get(key[:3], 0) - known.collected
        return known if known.others == others else replace(known, others=others)

    def _note_transfer(
        self, key: TransferKey, entry: Entry, before: Transfer, outcome: Charge
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

    def commit(
        self, entries: Sequence[Entry], *, waits: bool = False
    ) -> list[Receipt | Deny | StoreError]:
        """Post all entries in one durable transaction; one outcome for each, in order.

        An outcome is an error where only that entry is at fault: `Contended` where somebody else
        holds the counters of its token, unless it `waits` for them.

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

    __slots__ = ("entry", "is_left", "leads", "outcome", "ready")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.outcome: Receipt | Deny | StoreError | None = None
        self.is_left = False
        """Nobody waits for the outcome any more."""
        self.leads = False
        """It is its turn to commit what waits, its own entry first."""
        self.ready = threading.Lock()
        self.ready.acquire()


class _Lane:
    """Requests that share transactions, one after the other.

    Attributes:
        token_id: whose counters somebody else holds; None for all other tokens.
        waiting: those whose turn has not come.
        is_led: one of them is at work.
        since: when the first attempt began of which none has succeeded (monotonic), or None.
        failed_at: when the last one failed.
    """

    __slots__ = ("failed_at", "is_led", "since", "token_id", "waiting")

    def __init__(self, token_id: int | None = None) -> None:
        self.token_id = token_id
        self.waiting: list[_Slot] = []
        self.is_led = False
        self.since: float | None = None
        self.failed_at = 0.0

    def patience(self, now: float) -> float:
        """Seconds for which it makes sense to wait for somebody else's attempt; 0 is none."""
        return SHARED if self.since is None else max(0.0, self.since + SHARED - now)

    def begin(self, now: float) -> None:
        """Somebody makes an attempt."""
        if self.since is None or 0.0 < self.failed_at < now - FORGIVEN:
            self.since, self.failed_at = now, 0.0

    def end(self, now: float, *, succeeded: bool) -> None:
        """The attempt has ended."""
        if succeeded:
            self.since = None
        self.failed_at = 0.0 if succeeded else now


class Ledger:
    """Reserves answers, many in one transaction.

    Args:
        driver: of the database.
    """

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
        outcome = self._pass(entry, apart=False)
        if isinstance(outcome, Contended):
            outcome = self._pass(entry, apart=True)
        if isinstance(outcome, Receipt | Deny):
            return outcome
        raise outcome

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
        self._lane = _Lane()
        self._apart: dict[int, _Lane] = {}
        """Of tokens whose counters somebody else holds."""

    def _pass(self, entry: Entry, *, apart: bool) -> Receipt | Deny | StoreError:
        """The outcome of an entry, in the lane of its token if it has one or is to be `apart`."""
        slot = _Slot(entry)
        with self._mutex:
            lane = self._apart.get(entry.token_id, self._lane)
            if apart and lane is self._lane:
                lane = self._apart[entry.token_id] = _Lane(entry.token_id)
            now = time.monotonic()
            if lane.is_led and lane.patience(now) <= 0:
                raise _in_vain()
            lane.waiting.append(slot)
            slot.leads, lane.is_led = not lane.is_led, True
            if slot.leads:
                lane.begin(now)
        try:
            if not slot.leads:
                self._wait(lane, slot)
            if slot.outcome is None:
                self._lead(lane)
        except BaseException:
            # Also a greenlet's timeout, a signal: who is gone can neither be served nor lead.
            self._leave(lane, slot)
            raise
        return slot.outcome or StoreError("The counters could not be kept.")

    def _wait(self, lane: _Lane, slot: _Slot) -> None:
        while not slot.ready.acquire(timeout=lane.patience(time.monotonic()) + _TICK):
            self._require_patience(lane, slot)

    def _leave(self, lane: _Lane, slot: _Slot) -> None:
        """Let the others go on without this one."""
        with self._mutex:
            slot.is_left = True
            if slot in lane.waiting:
                lane.waiting.remove(slot)
                if slot.leads:
                    self._appoint(lane)

    def _require_patience(self, lane: _Lane, slot: _Slot) -> None:
        """Return while it makes sense to wait on."""
        with self._mutex:
            if slot.outcome is None and lane.patience(time.monotonic()) <= 0:
                raise _in_vain()

    def _appoint(self, lane: _Lane) -> None:
        """Let the first that waits lead, the mutex being held."""
        lane.is_led = bool(lane.waiting)
        if lane.waiting:
            lane.begin(time.monotonic())
            first = lane.waiting[0]
            first.leads = True
            first.ready.release()
        elif lane.token_id is not None and lane.since is None:
            self._apart.pop(lane.token_id, None)

    def _lead(self, lane: _Lane) -> None:
        """Commit the waiting requests, then hand the lead to the first that came meanwhile."""
        with self._mutex:
            batch, lane.waiting = lane.waiting[:BATCH], lane.waiting[BATCH:]
        outcomes: Sequence[Receipt | Deny | StoreError | None] = ()
        succeeded = False
        try:
            entries = [slot.entry for slot in batch]
            outcomes = (
                self._driver.commit(entries)
                if lane.token_id is None
                else self._driver.commit(entries, waits=True)
            )
            succeeded = True
        except StoreError as error:
            outcomes = [error] * len(batch)
        finally:
            # Also when something unforeseen was raised: nobody may wait for ever, and a slot
            # without an outcome is a refusal.
            if len(outcomes) != len(batch):
                outcomes = [None] * len(batch)
            self._hand_over(lane, batch, outcomes, succeeded=succeeded)

    def _hand_over(
        self,
        lane: _Lane,
        batch: list[_Slot],
        outcomes: Sequence[Receipt | Deny | StoreError | None],
        *,
        succeeded: bool,
    ) -> None:
        left = []
        with self._mutex:
            for slot, outcome in zip(batch, outcomes, strict=True):
                slot.outcome = outcome or StoreError("The counters could not be kept.")
                if slot.is_left and isinstance(outcome, Receipt):
                    left.append(outcome)
            lane.end(time.monotonic(), succeeded=succeeded)
            self._appoint(lane)
        for slot in batch:
            if slot.ready.locked():
                slot.ready.release()
        for receipt in left:
            # Otherwise the count stays, on the safe side.
            with contextlib.suppress(StoreError):
                self._driver.cancel(receipt)


_TICK: Final = 0.001


def _in_vain() -> DatabaseLocked:
    return DatabaseLocked(
        "The counters are held by another program, or the database does not answer.",
        "Stop what holds it, or try again.",
    )


def _after_fork(ledger: Ledger | None) -> None:
    if ledger is not None:
        ledger._begin_anew()  # noqa: SLF001 - the ledger's own, without keeping it alive
