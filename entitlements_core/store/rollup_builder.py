"""Roll-ups of longer periods, out of those of shorter ones."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from entitlements_core.store.rollup_periods import (
    DAILY,
    KINDS,
    DaySpan,
    RollupKind,
    cover,
    days_in,
    periods_of,
    year_of,
)
from entitlements_core.store.rollup_rows import RollupRows, RollupState
from entitlements_core.store.rollup_sums import Sums
from entitlements_core.store.rollup_tables import Table

__all__ = ["due", "make"]

_ROOTS: Final = tuple(kind for kind in KINDS if not any(set(kind) < set(other) for other in KINDS))
"""What is summed up from the days; everything else follows from one of these."""


def due(rows: RollupRows, state: RollupState) -> tuple[DaySpan, ...]:
    """The periods that are over, have downloads, and have no roll-up yet; the shortest first."""
    days, stale, made = rows.days(), rows.stale(), rows.spans(KINDS[0])
    fit = sorted({day for day in days if day < state.closed})
    if not fit:
        return ()
    barred = {day for day in stale if day >= state.frozen}
    found = [span for span in _periods(fit, state.closed) if span not in made]
    return tuple(span for span in found if barred.isdisjoint(days_in(span)))


def make(rows: RollupRows, span: DaySpan) -> dict[RollupKind, Table]:
    """The roll-ups of a period, of all kinds."""
    longer = rows.spans(KINDS[0]) - {span}
    pieces = [piece.span for piece in cover(span, longer, ())]
    daily = list(rows.tables(DAILY, [one for one in pieces if one not in longer]))
    longest = [one for one in pieces if one in longer]

    def source(kind: RollupKind) -> Iterator[Table]:
        yield from daily
        yield from rows.tables(kind, longest)

    return dict(_made(source))


def _made(source: Callable[[RollupKind], Iterable[Table]]) -> Iterator[tuple[RollupKind, Table]]:
    made: dict[RollupKind, Table] = {}
    for kind in reversed(KINDS):
        sums = Sums(kind)
        for table in source(kind) if kind in _ROOTS else [_parent(kind, made)]:
            sums.add(table)
        made[kind] = sums.table()
        yield kind, made[kind]


def _parent(kind: RollupKind, made: Mapping[RollupKind, Table]) -> Table:
    """The smallest table that `kind` follows from."""
    return min((table for one, table in made.items() if set(kind) < set(one)), key=len)


def _periods(days: list[int], closed: int) -> list[DaySpan]:
    """The periods in which some of `days` lie, as far as they are over."""
    years = dict.fromkeys(year_of(day) for day in days)
    found = [span for year in years for span in periods_of(year) if span[1] <= closed]
    return [one for one in found if bisect_left(days, one[0]) < bisect_left(days, one[1])]
