"""Use case: remove the downloads of long ago. Reports, limits and package queries do not change."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from entitlements_core.errors import InvalidValue, Refused
from entitlements_core.interfaces import Progress
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.instants import instant
from entitlements_core.services.download_export import Export, absolute, opened
from entitlements_core.services.operations import Operations
from entitlements_core.services.rollups import Rollups, no_progress
from entitlements_core.store.rollup_periods import day_of, start_of

__all__ = ["SAFE_AGE", "Pruned", "Retention"]

SAFE_AGE: Final = timedelta(days=32)
"""Younger downloads stay: further requests ride on them, and a clock may be wrong by a month."""
_TOGETHER: Final = 1_000
"""Downloads of a transaction; servers that count wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed.

    Attributes:
        before: exclusive; 00:00 UTC of a day.
        removed: downloads that were removed, or would be.
        export: where they were written to before; None when nowhere.
    """

    before: datetime
    removed: int
    export: Path | None


class Retention:
    """Removes downloads of one store.

    Args:
        operations: begins the transactions.
        window: for how long further requests ride on a counted download.
    """

    def __init__(self, operations: Operations, *, window: timedelta) -> None:
        self._operations = operations
        self._window = window

    def preview(self, older_than: timedelta, *, clock_is_right: bool = False) -> Pruned:
        """What `prune` would remove; changes nothing.

        Raises:
            InvalidValue: when `older_than` is below a safe age.
            Refused: when the clock may be ahead.
            StoreError: when the store cannot be read.
        """
        before = self._cutoff(older_than)
        if not clock_is_right:
            self._require_likely_clock()
        with self._operations.database.read() as unit:
            return Pruned(before=before, removed=unit.old_downloads.count(before), export=None)

    def prune(
        self,
        older_than: timedelta,
        *,
        actor: Actor,
        export: Path | None = None,
        clock_is_right: bool = False,
        progress: Progress = no_progress,
    ) -> Pruned:
        """Remove the downloads of whole days that are older, a few in each transaction.

        Whatever ends it half-way, the next run goes on. What is exported is on the disk before it
        is removed, and is in the export once.

        Args:
            older_than: their age at least; the day in which it falls stays.
            actor: who asks.
            export: a file to write them to; one of an earlier run is continued.
            clock_is_right: also where nothing has happened in the store for longer than a clock may
                be ahead unnoticed.
            progress: told how many were removed, and of how many.

        Raises:
            InvalidValue: when `older_than` is below a safe age.
            NotFound, Conflict: when the file cannot be written to.
            Refused: when the clock may be ahead, or a download was counted for such a day just now.
            StoreError: when the store cannot be read or written; what was removed stays so.
        """
        cutoff = self._cutoff(older_than)
        if not clock_is_right:
            self._require_likely_clock()
        file = None if export is None else absolute(export)
        with ExitStack() as stack:
            target = None if file is None else stack.enter_context(self._opened(file))
            rollups = Rollups(self._operations)
            before = rollups.freeze(cutoff)
            facts: dict[str, object] = {"before": instant(before), "export": file and str(file)}
            self._record("downloads.prune", actor, facts)
            with self._operations.database.read() as unit:
                wanted = unit.old_downloads.count(before)
            removed = 0
            while some := self._step(before, target):
                removed += some
                progress(removed, max(removed, wanted))
            self._record("downloads.pruned", actor, {**facts, "removed": removed})
        # Where there was nothing, days are not taken as over, either.
        return Pruned(before=before if removed else cutoff, removed=removed, export=file)

    def _opened(self, file: Path) -> AbstractContextManager[Export]:
        def known() -> int | None:
            with self._operations.database.read() as unit:
                return unit.old_downloads.exported_size(str(file))

        def begin() -> None:
            with self._operations.database.begin() as unit:
                unit.old_downloads.note_export(str(file), 0)

        url = self._operations.database.url
        return opened(file, known, begin, store=url.path if url.is_sqlite else None)

    def _step(self, before: datetime, target: Export | None) -> int:
        with self._operations.database.begin() as unit:
            found = unit.old_downloads.oldest(before, _TOGETHER)
            # An export of nothing has its headings, so that it is a file like the others.
            if target is not None and (found or target.size == 0):
                target.append(found)
                unit.old_downloads.note_export(str(target.path), target.size)
            if found:
                unit.old_downloads.remove(found)
        return len(found)

    def _cutoff(self, older_than: timedelta) -> datetime:
        safe = max(SAFE_AGE, self._window + timedelta(days=1))
        if older_than < safe:
            raise InvalidValue(
                "downloads_older_than",
                f"Downloads that are younger than {safe.days} days are still needed.",
                f"Write {safe.days}d or more.",
            )
        try:
            return start_of(day_of(self._operations.clock() - older_than))
        except OverflowError:
            return start_of(0)

    def _require_likely_clock(self) -> None:
        """A clock that is years ahead would remove what was counted yesterday.

        What is of the future was written by a clock that was further ahead, and tells nothing.
        """
        now = self._operations.clock()
        with self._operations.database.read() as unit:
            day, changed = unit.download_sums.last_day(now), unit.audit.newest(now)
        changed = changed or start_of(0)
        if day and now - max(start_of(day + 1), changed) > SAFE_AGE:
            raise Refused(
                f"It is {now:%Y-%m-%d} by this machine's clock, but the last that"
                f" happened in the store is of {max(start_of(day), changed):%Y-%m-%d}.",
                "Look at the clock. If it is right, add --clock-is-right.",
            )

    def _record(self, action: str, actor: Actor, facts: dict[str, object]) -> None:
        with self._operations.begin(actor) as operation:
            operation.record(action, "", after=facts)
