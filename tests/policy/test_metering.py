"""Counting, against a model that is simpler than the code."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entitlements_core.policy import metering
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.limits import Limits, Usage
from entitlements_core.policy.metering import (
    CLOCK_SKEW,
    Account,
    Charge,
    ChargeRequest,
    Schedule,
    Transfer,
    exhausted,
    rolled,
)
from entitlements_core.policy.period import ResetPeriod, period_start
from tests.factories import NOW

WINDOW = timedelta(seconds=300)


def account(limits: Limits | None = None, period: ResetPeriod = ResetPeriod.NEVER) -> Account:
    return Account(
        limits=limits or Limits(),
        schedule=Schedule(period=period, anchor=NOW),
        usage=Usage(since=NOW),
    )


def demand(
    start: int = 0,
    length: int = 1000,
    *,
    now: datetime = NOW,
    window: timedelta = WINDOW,
) -> ChargeRequest:
    return ChargeRequest(size=1000, start=start, length=length, window=window, now=now)


def reserve(
    of: Account, transfer: Transfer, asked: ChargeRequest, *, known: bool = False
) -> Charge | Deny:
    return metering.reserve(of, transfer, asked, client_known=known)


def taken(outcome: Charge | Deny) -> Charge:
    assert isinstance(outcome, Charge)
    return outcome


@pytest.mark.parametrize(
    ("transfer", "asked", "counted", "after"),
    [
        (Transfer(), demand(), True, Transfer(counted_at=NOW)),
        (Transfer(), demand(0, 1), True, Transfer(counted_at=NOW)),
        (Transfer(), demand(1, 899), False, Transfer(collected=899)),
        (Transfer(), demand(1, 900), True, Transfer(counted_at=NOW)),
        (Transfer(collected=899), demand(999, 1), True, Transfer(counted_at=NOW)),
        (Transfer(collected=899), demand(0, 1), True, Transfer(counted_at=NOW)),
        (Transfer(others=500), demand(1, 399), False, Transfer(collected=399, others=500)),
        (Transfer(others=500), demand(1, 400), True, Transfer(counted_at=NOW)),
        (Transfer(collected=300, others=500), demand(1, 100), True, Transfer(counted_at=NOW)),
        (Transfer(collected=9, others=5), demand(), True, Transfer(counted_at=NOW, others=5)),
        (Transfer(counted_at=NOW), demand(), False, Transfer(counted_at=NOW)),
        (Transfer(counted_at=NOW), demand(500, 500), False, Transfer(counted_at=NOW)),
        (
            Transfer(counted_at=NOW - timedelta(microseconds=1)),
            demand(),
            True,
            Transfer(counted_at=NOW),
        ),
        (
            Transfer(counted_at=NOW),
            demand(window=timedelta(0)),
            True,
            Transfer(counted_at=NOW),
        ),
        (
            Transfer(counted_at=NOW),
            demand(now=NOW + WINDOW),
            True,
            Transfer(counted_at=NOW + WINDOW),
        ),
        (
            Transfer(counted_at=NOW),
            demand(500, 10, now=NOW + WINDOW),
            False,
            Transfer(collected=10),
        ),
    ],
)
def test_what_counts_as_a_download(
    transfer: Transfer,
    asked: ChargeRequest,
    counted: bool,  # noqa: FBT001 - the answer
    after: Transfer,
) -> None:
    found = taken(reserve(account(), transfer, asked))
    assert (found.counted, found.transfer) == (counted, after)
    assert found.usage == Usage(since=NOW, downloads=counted, clients=1, bandwidth=asked.length)


def test_without_a_window_a_request_that_waited_longer_counts_as_well() -> None:
    before = Transfer(counted_at=NOW + timedelta(seconds=1))

    assert taken(reserve(account(), before, demand(window=timedelta(0)))).counted
    assert not taken(reserve(account(), before, demand())).counted


@pytest.mark.parametrize(
    ("ahead", "window", "rides"),
    [
        (timedelta(seconds=59), WINDOW, True),
        (timedelta(minutes=1), WINDOW, False),
        (WINDOW, WINDOW, False),
        (timedelta(days=3650), WINDOW, False),
        (timedelta(seconds=9), timedelta(seconds=10), True),
        (timedelta(seconds=10), timedelta(seconds=10), False),
    ],
)
def test_nothing_rides_on_a_download_of_a_clock_that_was_ahead(
    ahead: timedelta,
    window: timedelta,
    rides: bool,  # noqa: FBT001 - the answer
) -> None:
    before = Transfer(counted_at=NOW + ahead)
    assert taken(reserve(account(), before, demand(window=window))).counted is not rides


@pytest.mark.parametrize(
    ("limits", "asked", "title"),
    [
        (Limits(downloads=0), demand(), "Download limit 0/0 reached"),
        (Limits(downloads=0), demand(500, 1), "Download limit 0/0 reached"),
        (Limits(clients=0), demand(), "Client limit 0/0 reached"),
        (Limits(bandwidth=999), demand(), "Bandwidth limit 0/999 bytes reached"),
        (Limits(downloads=0, clients=0, bandwidth=0), demand(), "Download limit 0/0 reached"),
        (Limits(clients=0, bandwidth=0), demand(), "Client limit 0/0 reached"),
    ],
)
def test_the_first_limit_is_named(limits: Limits, asked: ChargeRequest, title: str) -> None:
    denied = reserve(account(limits), Transfer(), asked)
    assert isinstance(denied, Deny)
    assert denied.title == title
    assert denied.remedy == "Ask the vendor to raise the limit or to reset it."
    assert denied.retry_at is None


def test_a_lowered_limit_is_shown_as_reached_not_passed() -> None:
    denied = exhausted(
        Limits(downloads=3), Usage(since=NOW, downloads=9), new_client=False, length=1
    )
    assert denied is not None
    assert denied.title == "Download limit 3/3 reached"


def test_a_refusal_says_when_the_counters_reset() -> None:
    denied = reserve(
        account(Limits(clients=0), ResetPeriod.MONTHLY), Transfer(), demand(now=NOW + WINDOW)
    )
    assert isinstance(denied, Deny)
    assert denied.title == "Client limit 0/0 reached; resets 2026-04-30 12:00 UTC"
    assert denied.retry_at == NOW.replace(month=4, day=30)


def test_the_longest_refusal_fits_the_reason_phrase() -> None:
    most = 2**63 - 1
    used = replace(
        account(Limits(bandwidth=most), ResetPeriod.DAILY),
        usage=Usage(since=NOW, bandwidth=most),
    )
    denied = reserve(used, Transfer(), demand())
    assert isinstance(denied, Deny)
    assert denied.title.endswith("reached; resets 2026-04-01 12:00 UTC")
    assert len(denied.title) <= 100


@pytest.mark.parametrize(
    ("period", "since", "now", "expected"),
    [
        (ResetPeriod.NEVER, NOW, NOW + timedelta(days=999), None),
        (ResetPeriod.DAILY, NOW, NOW + timedelta(days=1, microseconds=-1), None),
        (ResetPeriod.DAILY, NOW, NOW + timedelta(days=1), NOW + timedelta(days=1)),
        (ResetPeriod.DAILY, NOW, NOW + timedelta(days=9, hours=1), NOW + timedelta(days=9)),
        # Reset by hand within the period: that is when counting began.
        (ResetPeriod.DAILY, NOW + timedelta(hours=5), NOW + timedelta(hours=6), None),
        # Made before its first reset.
        (ResetPeriod.DAILY, NOW - timedelta(days=3), NOW - timedelta(hours=1), None),
        (ResetPeriod.DAILY, NOW - timedelta(days=3), NOW, NOW),
    ],
)
def test_counters_roll_over(
    period: ResetPeriod, since: datetime, now: datetime, expected: datetime | None
) -> None:
    used = Usage(since=since, downloads=5, clients=2, bandwidth=9)
    before = replace(account(period=period), usage=used)
    after = rolled(before, now).usage
    assert after == (used if expected is None else Usage(since=expected))


RESET = NOW + timedelta(days=9)
"""The last one before `LATER`, of counters that are reset daily."""
LATER = RESET + timedelta(hours=1)
AHEAD = LATER + timedelta(days=400)
SKEWED = LATER + CLOCK_SKEW
BEYOND = SKEWED + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("since", "used_at", "expected"),
    [
        pytest.param(RESET - timedelta(hours=1), AHEAD, RESET, id="a-believed-reset-decides"),
        pytest.param(RESET, AHEAD, None, id="none-has-passed"),
        pytest.param(SKEWED, RESET - timedelta(hours=1), None, id="a-little-ahead-is-believed"),
        pytest.param(BEYOND, RESET - timedelta(hours=1), RESET, id="used-before-the-reset"),
        pytest.param(AHEAD, RESET - timedelta(microseconds=1), RESET, id="used-just-before"),
        pytest.param(AHEAD, RESET, None, id="used-at-the-reset"),
        pytest.param(AHEAD, LATER, None, id="used-after-the-reset"),
        pytest.param(AHEAD, AHEAD, None, id="nothing-can-be-believed"),
        pytest.param(AHEAD, None, None, id="never-used"),
    ],
)
def test_a_reset_from_the_future_is_not_believed(
    since: datetime, used_at: datetime | None, expected: datetime | None
) -> None:
    used = Usage(since=since, downloads=5, clients=2, bandwidth=9)
    before = replace(account(period=ResetPeriod.DAILY), usage=used, used_at=used_at)
    assert rolled(before, LATER).usage == (used if expected is None else Usage(since=expected))
    never = replace(before, schedule=Schedule(period=ResetPeriod.NEVER, anchor=NOW))
    assert rolled(never, LATER) is never


@pytest.mark.parametrize(
    ("since", "rides"),
    [
        pytest.param(NOW, True, id="counted-since"),
        pytest.param(NOW + timedelta(microseconds=1), False, id="counted-before"),
        pytest.param(NOW + timedelta(seconds=1) + CLOCK_SKEW, False, id="a-little-ahead"),
        pytest.param(NOW + timedelta(days=400), True, id="not-believed"),
    ],
)
def test_a_reset_from_the_future_keeps_nobody_from_riding(
    since: datetime,
    rides: bool,  # noqa: FBT001 - the answer
) -> None:
    before = replace(account(), usage=Usage(since=since))
    asked = demand(now=NOW + timedelta(seconds=1))
    assert taken(reserve(before, Transfer(counted_at=NOW), asked)).counted is not rides


@given(
    ahead=st.integers(2, 4000),
    denied=st.booleans(),
    hours=st.lists(st.integers(1, 90), min_size=2, max_size=30),
)
@example(ahead=2, denied=False, hours=[72, 1])  # nobody asks before that moment has come
def test_after_a_clock_was_ahead_every_reset_is_seen_again(
    ahead: int,
    denied: bool,  # noqa: FBT001 - whether the limit was used up
    hours: list[int],
) -> None:
    """From the second request by the right time on, whatever was counted ahead.

    But for the very period in which the clock was: what is counted for it stays counted.
    """
    wrong = NOW + timedelta(days=ahead)
    book = rolled(account(Limits(downloads=1), ResetPeriod.DAILY), wrong)
    book = replace(book, usage=replace(book.usage, downloads=int(denied)), used_at=wrong)
    now, seen = NOW, None
    for pause in hours:
        now += timedelta(hours=pause)
        before, book = book, rolled(book, now)
        start = period_start(ResetPeriod.DAILY, NOW, now) or NOW
        if before.usage.since <= now:  # as ever, once that moment has come
            resets = before.usage.since < start
        else:
            resets = seen not in {None, start}
        assert book.usage == (Usage(since=start) if resets else before.usage)
        seen = start
        book = replace(book, used_at=now)


@dataclass
class Model:
    """What should happen, told the simple way: a log of everything that was admitted."""

    since: datetime = NOW
    admitted: list[tuple[str, str, int]] = field(default_factory=list)
    downloads: list[tuple[str, str, datetime]] = field(default_factory=list)
    pending: dict[str, dict[str, int]] = field(default_factory=dict)
    """By file and client."""

    def is_covered(self, who: str, what: str, now: datetime) -> bool:
        return any(
            (client, file) == (who, what) and self.since <= at and now - at < WINDOW
            for client, file, at in self.downloads
        )

    def admit(self, who: str, what: str, start: int, length: int, now: datetime) -> None:
        covered = self.is_covered(who, what, now)
        self.admitted.append((who, what, length))
        if covered:
            return
        pending = self.pending.setdefault(what, {})
        if start == 0:
            pending.pop(who, None)
            self.downloads.append((who, what, now))
            return
        pending[who] = pending.get(who, 0) + length
        if sum(pending.values()) * 10 >= 1000 * 9:
            pending.clear()
            self.downloads.append((who, what, now))

    def others(self, who: str, what: str) -> int:
        return sum(size for one, size in self.pending.get(what, {}).items() if one != who)


DEMANDS = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.sampled_from("xyz"),
        st.sampled_from([(0, 1000), (0, 1), (1, 899), (1, 900), (500, 450), (900, 100)]),
        st.sampled_from([0, 150, 300, 86_400]),
    ),
    max_size=25,
)
LIMITS = st.builds(
    Limits,
    downloads=st.none() | st.integers(0, 6),
    clients=st.none() | st.integers(0, 2),
    bandwidth=st.none() | st.integers(0, 6000),
)


@given(
    demands=DEMANDS, limits=LIMITS, period=st.sampled_from([ResetPeriod.NEVER, ResetPeriod.DAILY])
)
def test_no_counter_ever_passes_its_limit(
    demands: list[tuple[str, str, tuple[int, int], int]], limits: Limits, period: ResetPeriod
) -> None:
    book, model = account(limits, period), Model()
    transfers: dict[tuple[str, str], Transfer] = {}
    clients: set[str] = set()
    now = NOW
    for who, what, (start, length), pause in demands:
        now += timedelta(seconds=pause)
        book = rolled(book, now)
        if book.usage.since != model.since:
            model.since, model.admitted, clients = book.usage.since, [], set()
        known, past = who in clients, transfers.get((who, what), Transfer())
        collected = model.pending.get(what, {}).get(who, 0)
        past = replace(past, collected=collected, others=model.others(who, what))
        outcome = reserve(book, past, demand(start, length, now=now), known=known)
        if isinstance(outcome, Deny):
            assert refusal_is_just(limits, book.usage, model, who, what, length, now, outcome)
            continue
        model.admit(who, what, start, length, now)
        book = replace(book, usage=outcome.usage)
        transfers[who, what] = outcome.transfer
        clients.add(who)
        used = outcome.usage
        assert used.downloads == sum(at >= model.since for _, _, at in model.downloads)
        assert used.clients == len({client for client, _, _ in model.admitted})
        assert used.bandwidth == sum(size for _, _, size in model.admitted)
        for limit, value in (
            (limits.downloads, used.downloads),
            (limits.clients, used.clients),
            (limits.bandwidth, used.bandwidth),
        ):
            assert limit is None or value <= limit


def refusal_is_just(
    limits: Limits,
    usage: Usage,
    model: Model,
    who: str,
    what: str,
    length: int,
    now: datetime,
    denied: Deny,
) -> bool:
    if denied.reason is Reason.DOWNLOAD_LIMIT:
        return usage.downloads == limits.downloads and not model.is_covered(who, what, now)
    if denied.reason is Reason.CLIENT_LIMIT:
        return usage.clients == limits.clients and who not in {one for one, _, _ in model.admitted}
    return limits.bandwidth is not None and usage.bandwidth + length > limits.bandwidth
