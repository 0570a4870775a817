"""Use cases of roll-ups: bring them up to date, compare them with the downloads, make them anew."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from entitlements_core.errors import Refused
from entitlements_core.interfaces import Progress
from entitlements_core.policy.actor import Actor
from entitlements_core.services.operations import Operations
from entitlements_core.store.records import RollupReport
from entitlements_core.store.rollup_builder import due, make
from entitlements_core.store.rollup_periods import DAILY, KINDS, DaySpan, day_of, start_of

if TYPE_CHECKING:
    from entitlements_core.store.unit_of_work import UnitOfWork

__all__ = ["RollupReport", "Rollups", "no_progress"]

LAG: Final = timedelta(hours=6)
"""How long ago a day ended that is taken as over. What is counted for it later is noticed all the
same; it only costs more."""


def no_progress(done: int, wanted: int) -> None:
    """Nobody is told."""


class Rollups:
    """The roll-ups of one store. Reports are right without them, and only slower.

    Whatever is stopped half-way goes on the next time: each day is a transaction of its own, and
    what changes meanwhile is noticed.

    Args:
        operations: begins the transactions that are written down.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def catch_up(self, progress: Progress = no_progress, *, limit: int | None = None) -> int:
        """Sum up the days that are over; gives how many were.

        Args:
            progress: told how many days are done.
            limit: at most so many days, and longer periods; None for all.

        Raises:
            DatabaseLocked: when somebody counts without an end.
            StoreError: when the store cannot be read or written.
        """
        self._close()
        with self._operations.database.read() as unit:
            state, stale = unit.rollups.state(), unit.rollups.stale()
        days = sorted(day for day in stale if day >= state.frozen)[:limit]
        for done, day in enumerate(days):
            progress(done, len(days))
            self._sum_up(day)
        progress(len(days), len(days))
        made = 0
        while made != limit and self._make_one():
            made += 1
        return len(days)

    def report(self) -> RollupReport:
        """How far they go.

        Raises:
            StoreError: when the store cannot be read.
        """
        with self._operations.database.read() as unit:
            state, stale = unit.rollups.state(), unit.rollups.stale()
            days = unit.rollups.days()
        return RollupReport(
            closed_until=start_of(state.closed),
            frozen_until=start_of(state.frozen),
            days=len(days),
            stale=sum(day >= state.frozen for day in stale),
        )

    def check(self, progress: Progress = no_progress) -> tuple[str, ...]:
        """Where roll-ups differ from the downloads, or from each other; empty is well.

        Days whose downloads were removed are compared with longer periods alone.

        Raises:
            StoreError: when the store cannot be read.
        """
        with self._operations.database.read() as unit:
            days = self._days_to_check(unit)
            spans = sorted(unit.rollups.spans(KINDS[0]))
        found = list(self.compare())
        for done, day in enumerate(days):
            progress(done, len(days) + len(spans))
            with self._operations.database.read() as unit:
                found += _wrong_day(unit, day)
        for done, span in enumerate(spans):
            progress(len(days) + done, len(days) + len(spans))
            with self._operations.database.read() as unit:
                found += _wrong_span(unit, span)
        return tuple(dict.fromkeys(found))

    def compare(self) -> tuple[str, ...]:
        """As `check`, in seconds: whether the sums of each day are those of its downloads.

        Raises:
            StoreError: when the store cannot be read.
        """
        with self._operations.database.read() as unit:
            rows, state = unit.rollups, unit.rollups.state()
            stale = rows.stale()
            raw = unit.download_sums.by_day((state.frozen, state.closed))
            known = {first: sums for (first, _), sums in rows.sums(DAILY).items()}
        days = {*raw, *(day for day in known if state.frozen <= day < state.closed)} - stale
        return tuple(_differs(day) for day in sorted(days) if raw.get(day) != known.get(day))

    def rebuild(self, *, actor: Actor, progress: Progress = no_progress) -> int:
        """Sum everything up anew, as far as the downloads are there; gives how many days.

        Raises:
            StoreError: as `catch_up` does.
        """
        with self._operations.begin(actor) as operation:
            rows = operation.unit.rollups
            state = rows.state()
            rows.drop_longer()
            rows.make_stale((state.frozen, state.closed))
            rows.next_generation(state.generation)
            operation.record("rollups.rebuilt", "")
        return self.catch_up(progress)

    def freeze(self, until: datetime) -> datetime:
        """Let the roll-ups of the days before `until` be what counts, so that downloads may go.

        Gives the end of what may go: the day of `until` where it is over.

        Raises:
            Refused: when a download came meanwhile for one of these days.
            StoreError: as `catch_up` does.
        """
        self.catch_up()
        with self._operations.database.begin() as unit:
            unit.rollups.let_nobody_count()
            state = unit.rollups.state()
            day = min(day_of(until), state.closed)
            if any(state.frozen <= one < day for one in unit.rollups.stale()):
                raise Refused(
                    "Somebody counted a download of one of these days just now.",
                    "Look at the servers' clocks, and try again.",
                )
            if day > state.frozen:
                unit.rollups.freeze_until(day)
                unit.rollups.next_generation(state.generation)
        return start_of(max(day, state.frozen))

    def _close(self) -> None:
        """Take days as over, while nobody counts."""
        now = self._operations.clock()
        day = day_of(now - LAG)
        with self._operations.database.read() as unit:
            state = unit.rollups.state()
            # Where a clock is ahead of all who count, nothing more is over.
            day = min(day, unit.download_sums.last_day(now) + 1)
        if day <= state.closed:
            return
        with self._operations.database.begin() as unit:
            unit.rollups.let_nobody_count()
            if unit.rollups.state() == state:
                unit.rollups.close_until(day)

    def _sum_up(self, day: int) -> None:
        with self._operations.database.read() as unit:
            state, marks = unit.rollups.state(), unit.rollups.marks(day)
            table = unit.download_sums.daily(day)
        with self._operations.database.begin() as unit:
            rows = unit.rollups
            if rows.next_generation(state.generation) and rows.state().frozen <= day:
                rows.put(DAILY, (day, day + 1), table)
                rows.drop_longer(day)
                rows.forget_marks(day, marks)

    def _make_one(self) -> bool:
        """Make those of one longer period; False when there is none to be made."""
        with self._operations.database.read() as unit:
            state = unit.rollups.state()
            spans = due(unit.rollups, state)
            made = make(unit.rollups, spans[0]) if spans else {}
        if not spans:
            return False
        with self._operations.database.begin() as unit:
            if unit.rollups.next_generation(state.generation):
                for kind, table in made.items():
                    unit.rollups.put(kind, spans[0], table)
        return True

    def _days_to_check(self, unit: "UnitOfWork") -> list[int]:
        rows, state = unit.rollups, unit.rollups.state()
        days = {*unit.download_sums.days((state.frozen, state.closed)), *rows.days()}
        stale = rows.stale()
        return sorted(day for day in days - stale if state.frozen <= day < state.closed)


def _wrong_day(unit: "UnitOfWork", day: int) -> Iterator[str]:
    state, rows = unit.rollups.state(), unit.rollups
    if day in rows.stale() or not state.frozen <= day < state.closed:
        return
    known = next(rows.tables(DAILY, [(day, day + 1)]), None)
    found = unit.download_sums.daily(day)
    if known != found if known is not None else len(found):
        yield _differs(day)


def _wrong_span(unit: "UnitOfWork", span: DaySpan) -> Iterator[str]:
    rows, state = unit.rollups, unit.rollups.state()
    if any(state.frozen <= day < span[1] and day >= span[0] for day in rows.stale()):
        return
    for kind, found in make(rows, span).items():
        if next(rows.tables(kind, [span]), None) != found:
            yield (
                f"The roll-up by {', '.join(kind)} from {start_of(span[0]):%Y-%m-%d} to"
                f" {start_of(span[1] - 1):%Y-%m-%d} is not the sum of its days."
            )


def _differs(day: int) -> str:
    return f"The roll-up of {start_of(day):%Y-%m-%d} is not the sum of its downloads."
