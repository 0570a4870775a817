"""Counting: what one answer takes from the limits, decided before its first byte.

A download is a GET of a distribution file answered in full or from byte 0. Further requests of the
same client for the same file ride on it for a while, so that resumed and repeated transfers of one
installation count once. Ranges that begin elsewhere are collected until they nearly add up to the
file, and then count: byte 0 is never among them, so waiting for all of it would let a client that
skips a few bytes go uncounted. They are added up over all clients of a credential, since parts that
two addresses fetched make one file.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.instants import minute
from entitlements_core.policy.limits import Limits, Usage
from entitlements_core.policy.period import ResetPeriod, next_reset, period_start

__all__ = [
    "CLOCK_SKEW",
    "Account",
    "Charge",
    "ChargeRequest",
    "Schedule",
    "Transfer",
    "asking",
    "due_reset",
    "exhausted",
    "is_believed",
    "reserve",
    "rolled",
]

COLLECTED_SHARE: Final = 0.9
"""The share of a file's bytes at which ranges count as a download."""

CLOCK_SKEW: Final = timedelta(minutes=1)
"""By how much a stored moment may lie ahead and still be believed.

A request that waited for the store is older than what was counted meanwhile, and the clocks of two
nodes differ a little. What lies further ahead was written by a clock that was wrong: a download
would open its file until that moment comes, a reset would keep all others away until then.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the counters go back to zero by themselves."""

    period: ResetPeriod = ResetPeriod.NEVER
    anchor: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The counters of one credential and the rules they obey.

    Attributes:
        limits: per reset period.
        schedule: the reset period.
        usage: counted since ``usage.since``.
        used_at: when it was counted last; None when it never was, or nobody looked.
    """

    limits: Limits
    schedule: Schedule
    usage: Usage
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What one client has fetched of one file.

    Attributes:
        counted_at: when a download was last counted; None while only ranges were collected.
        collected: bytes of ranges that began elsewhere, since the last counted download.
        others: bytes that other clients of the credential collected of the file.
    """

    counted_at: datetime | None = None
    collected: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """One answer about to be sent.

    Attributes:
        size: of the whole file, in bytes.
        start: the first byte sent, inclusive.
        length: bytes to be sent.
        window: for how long further requests ride on a counted download; zero: none do.
        now: aware, UTC.
    """

    size: int
    start: int
    length: int
    window: timedelta
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What an admitted answer took.

    Attributes:
        usage: the counters after it.
        transfer: what the client has fetched of the file after it.
        counted: whether it counted as a download.
        new_client: whether it brought a new client.
    """

    usage: Usage
    transfer: Transfer
    counted: bool
    new_client: bool


Outcome = Charge | Deny


def rolled(account: Account, now: datetime) -> Account:
    """The account at `now`: its counters zeroed when a reset has passed since they last were."""
    start = due_reset(account.schedule, account.usage.since, account.used_at, now)
    return account if start is None else replace(account, usage=Usage(since=start))


def due_reset(
    schedule: Schedule, since: datetime, used_at: datetime | None, now: datetime
) -> datetime | None:
    """The scheduled reset that has passed and that counters have not seen yet; None for none.

    Args:
        schedule: the reset period.
        since: when the counters last were zero. In the future it is not believed: whether a reset
            has passed is told by `used_at` then.
        used_at: when something was counted last. In the future it is not believed either, and
            nothing is reset: what was counted stays counted.
        now: aware, UTC.
    """
    start = period_start(schedule.period, schedule.anchor, now)
    if start is None:
        return None
    if not is_believed(since, now):
        return start if used_at is not None and used_at < start else None
    return start if since < start else None


def is_believed(moment: datetime, now: datetime) -> bool:
    """Whether a stored moment can have been by `now`."""
    return moment <= now + CLOCK_SKEW


def reserve(
    account: Account, transfer: Transfer, asked: ChargeRequest, *, client_known: bool
) -> Outcome:
    """Take what one answer needs, or say which limit it would pass.

    The caller holds the account's lock, writes the outcome back, and only then sends a byte.

    Args:
        account: as `rolled` gives it for ``asked.now``.
        transfer: what the client has fetched of the file.
        asked: the answer.
        client_known: the client already counts since ``usage.since``.
    """
    usage = account.usage
    rides = _rides(transfer, asked, usage.since)
    counted, after = (False, transfer) if rides else _collect(transfer, asked)
    new_client = not client_known
    denied = exhausted(
        account.limits,
        usage,
        new_client=new_client,
        length=asked.length,
        # A client that may not fetch the file may not begin to collect it either.
        new_download=not rides,
    )
    if denied is not None:
        return _resetting(denied, account.schedule, asked.now)
    return Charge(
        usage=Usage(
            since=usage.since,
            downloads=usage.downloads + counted,
            clients=usage.clients + new_client,
            bandwidth=usage.bandwidth + asked.length,
        ),
        transfer=after,
        counted=counted,
        new_client=new_client,
    )


def exhausted(
    limits: Limits,
    usage: Usage,
    *,
    new_client: bool,
    length: int,
    new_download: bool = True,
) -> Deny | None:
    """The limit that one more answer would pass, or None.

    Args:
        limits: per period.
        usage: in the current period.
        new_client: the answer goes to a client that does not count yet.
        length: of the answer, in bytes.
        new_download: the answer may count as a download.
    """
    checks = (
        (Reason.DOWNLOAD_LIMIT, "Download", limits.downloads, usage.downloads, int(new_download)),
        (Reason.CLIENT_LIMIT, "Client", limits.clients, usage.clients, int(new_client)),
        (Reason.BANDWIDTH_LIMIT, "Bandwidth", limits.bandwidth, usage.bandwidth, length),
    )
    for reason, noun, limit, used, wanted in checks:
        if limit is not None and wanted and used + wanted > limit:
            return _limit_reached(reason, noun, limit, used)
    return None


def asking(whom: str = "the vendor") -> str:
    """What a customer can do about a limit."""
    return f"Ask {whom} to raise the limit or to reset it."


def _rides(transfer: Transfer, asked: ChargeRequest, since: datetime) -> bool:
    counted_at = transfer.counted_at
    if counted_at is None or not asked.window:
        return False
    if counted_at < since and is_believed(since, asked.now):
        return False
    return -min(CLOCK_SKEW, asked.window) < asked.now - counted_at < asked.window


def _collect(transfer: Transfer, asked: ChargeRequest) -> tuple[bool, Transfer]:
    """Whether it counts now, and what is collected after it."""
    if asked.start == 0:
        # What others collected stays: it is no part of this file.
        return True, Transfer(counted_at=asked.now, others=transfer.others)
    collected = transfer.collected + asked.length
    if collected + transfer.others >= asked.size * COLLECTED_SHARE:
        return True, Transfer(counted_at=asked.now)
    return False, Transfer(collected=collected, others=transfer.others)


def _limit_reached(reason: Reason, noun: str, limit: int, used: int) -> Deny:
    amount = f"{min(used, limit)}/{limit}"
    title = f"{noun} limit {amount}{' bytes' * (reason is Reason.BANDWIDTH_LIMIT)} reached"
    return Deny(reason, title, asking())


def _resetting(denied: Deny, schedule: Schedule, now: datetime) -> Deny:
    """`denied` with the moment at which the counters go back to zero, where there is one."""
    moment = next_reset(schedule.period, schedule.anchor, now)
    if moment is None:
        return denied
    title = f"{denied.title}; resets {minute(moment)}"
    return replace(denied, title=title, retry_at=moment)
