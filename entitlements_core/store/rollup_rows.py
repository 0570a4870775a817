"""The roll-ups as one transaction sees them: what they hold, how far they go, what is stale."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    type_coerce,
    update,
)
from sqlmodel import Session, col

from entitlements_core.store.download_sums import COLUMNS, DownloadSums, Sum
from entitlements_core.store.models import (
    LateDownloadRow,
    RollupRow,
    RollupStateRow,
    StaleDayRow,
)
from entitlements_core.store.rollup_periods import (
    DAILY,
    DAY,
    DaySpan,
    RollupKind,
    name_of,
    start_of,
)
from entitlements_core.store.rollup_tables import Table

__all__ = ["RollupRows", "RollupState"]

_ONE: Final = (
    col(RollupRow.kind) == bindparam("of_kind"),
    col(RollupRow.first_day) == bindparam("first"),
    col(RollupRow.past_day) == bindparam("past"),
)
# There are many pieces to a period, and putting a statement together takes longer than asking it.
_BODY: Final = select(col(RollupRow.body)).where(*_ONE)
_DROP: Final = delete(RollupRow).where(*_ONE)
_MARKS: Final = 500
_WAIT: Final = "SET LOCAL lock_timeout = '500ms'"


@dataclass(frozen=True, slots=True)
class RollupState:
    """How far roll-ups go.

    Attributes:
        closed: days before it are rolled up, or stale.
        frozen: of days before it, the roll-ups are what counts, with late differences.
        generation: another one after each change of a roll-up.
    """

    closed: int
    frozen: int
    generation: int


@dataclass(frozen=True, slots=True)
class RollupDifference:
    """What came late to a frozen day: its values by dimension, its sums, the last moment."""

    values: dict[str, Any]
    sums: Sum
    last_at: int


@dataclass(frozen=True, slots=True)
class RollupRows:
    """The roll-ups as one transaction sees them."""

    session: Session

    def state(self) -> RollupState:
        """How far they go."""
        row = self.session.execute(
            select(
                type_coerce(RollupStateRow.closed_until, BigInteger),
                type_coerce(RollupStateRow.frozen_until, BigInteger),
                col(RollupStateRow.generation),
            )
        ).one()
        return RollupState(row[0] // DAY, row[1] // DAY, row[2])

    def let_nobody_count(self) -> None:
        """Wait for those who count just now, and let others wait until the transaction ends.

        On SQLite, a transaction that writes is alone as it is.

        Raises:
            DatabaseLocked: when somebody does not end; nobody is kept waiting for it.
        """
        if self.session.connection().dialect.name == "postgresql":
            self.session.execute(text(_WAIT))
            self.session.execute(text("LOCK TABLE downloads IN SHARE MODE"))

    def close_until(self, day: int) -> None:
        """Take the days before `day` as over; call `let_nobody_count` first.

        Those of them that have downloads are stale then.
        """
        known = self.state()
        for found in DownloadSums(self.session).days((known.closed, day)):
            self.session.execute(insert(StaleDayRow).values(day=found, mark=0))
        self._set(closed_until=start_of(day))

    def open_from(self, day: int) -> None:
        """Take the days from `day` on as not over, unless frozen; their roll-ups go."""
        day = max(day, self.state().frozen)
        self.drop(col(RollupRow.past_day) > day)
        self.session.execute(delete(StaleDayRow).where(col(StaleDayRow.day) >= day))
        self._set(closed_until=start_of(day))

    def freeze_until(self, day: int) -> None:
        """Let the roll-ups of days before `day` be what counts; call `let_nobody_count` first."""
        self._set(frozen_until=start_of(day))

    def set_pruning(self, *, on: bool) -> None:
        """Whether roll-ups keep downloads that are removed; off again in the same transaction."""
        self._set(pruning=int(on))

    def stale(self) -> frozenset[int]:
        """The days whose roll-ups are out of date."""
        return frozenset(self.session.scalars(select(col(StaleDayRow.day)).distinct()))

    def make_stale(self, span: DaySpan) -> None:
        """Have the days of `span` summed up again, where they have downloads or a roll-up."""
        stale = self.stale()
        days = {*DownloadSums(self.session).days(span)}
        days |= {day for day in self.days() if day in range(*span)}
        for day in sorted(days - stale):
            self.session.execute(insert(StaleDayRow).values(day=day, mark=0))

    def marks(self, day: int) -> tuple[int, ...]:
        """The marks of a stale day."""
        return tuple(
            self.session.scalars(select(col(StaleDayRow.mark)).where(col(StaleDayRow.day) == day))
        )

    def forget_marks(self, day: int, marks: Sequence[int]) -> None:
        """The changes that these marks stand for are in the roll-ups now."""
        for start in range(0, len(marks), _MARKS):
            some = marks[start : start + _MARKS]
            self.session.execute(
                delete(StaleDayRow).where(
                    col(StaleDayRow.day) == day, col(StaleDayRow.mark).in_(some)
                )
            )

    def spans(self, kind: RollupKind) -> frozenset[DaySpan]:
        """Of which periods there is a roll-up of a kind."""
        query = select(col(RollupRow.first_day), col(RollupRow.past_day)).where(
            col(RollupRow.kind) == name_of(kind)
        )
        return frozenset((first, past) for first, past in self.session.execute(query))

    def days(self) -> tuple[int, ...]:
        """The days that have a roll-up, in order."""
        return tuple(sorted(first for first, _ in self.spans(DAILY)))

    def first_day(self, state: RollupState) -> int:
        """The first day that can have a download."""
        downloads = next(DownloadSums(self.session).days((0, state.closed)), state.closed)
        return min([downloads, *self.days()[:1], *sorted(self.late_days())[:1]])

    def late_days(self) -> frozenset[int]:
        """The days that have a difference."""
        days = type_coerce(LateDownloadRow.at, BigInteger) // DAY
        return frozenset(self.session.scalars(select(days).distinct()))

    def sums(self, kind: RollupKind) -> dict[DaySpan, Sum]:
        """What is in each roll-up of a kind, as it says."""
        names = ("first_day", "past_day", "downloads", "requests", "bandwidth")
        columns = [col(getattr(RollupRow, name)) for name in names]
        query: Select[Any] = select(*columns).where(col(RollupRow.kind) == name_of(kind))
        return {(one[0], one[1]): (one[2], one[3], one[4]) for one in self.session.execute(query)}

    def tables(self, kind: RollupKind, spans: Iterable[DaySpan]) -> Iterator[Table]:
        """The roll-ups of a kind for `spans`, as far as there are any."""
        connection, name = self.session.connection(), name_of(kind)
        for first, past in spans:
            which = {"of_kind": name, "first": first, "past": past}
            body = connection.execute(_BODY, which).scalar_one_or_none()
            if body is not None:
                yield Table.decode(body)

    def put(self, kind: RollupKind, span: DaySpan, table: Table) -> None:
        """Write a roll-up; an empty one of a day is none."""
        (first, past), connection = span, self.session.connection()
        connection.execute(_DROP, {"of_kind": name_of(kind), "first": first, "past": past})
        if kind == DAILY and not len(table):
            return
        downloads, requests, bandwidth = table.totals()
        row = {
            "kind": name_of(kind),
            "first_day": first,
            "past_day": past,
            "downloads": downloads,
            "requests": requests,
            "bandwidth": bandwidth,
            "body": table.encode(),
        }
        connection.execute(insert(RollupRow), row)

    def drop(self, *conditions: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        """Remove roll-ups."""
        self.session.execute(delete(RollupRow).where(*conditions))

    def drop_longer(self, day: int | None = None) -> None:
        """Remove the roll-ups of longer periods that hold `day`, or all."""
        conditions = [col(RollupRow.kind) != name_of(DAILY)]
        if day is not None:
            conditions += [col(RollupRow.first_day) <= day, col(RollupRow.past_day) > day]
        self.drop(*conditions)

    def next_generation(self, known: int) -> bool:
        """Count a change of roll-ups; False when there was another one since `known`."""
        found = self.session.connection().execute(
            update(RollupStateRow)
            .where(col(RollupStateRow.generation) == known)
            .values(generation=known + 1)
        )
        return bool(found.rowcount)

    def differences(self, since: datetime, until: datetime) -> Iterator[RollupDifference]:
        """What came late to frozen days and was not taken back."""
        names = [name for name in DAILY if name != "day"]
        columns = [getattr(LateDownloadRow, COLUMNS[name].key) for name in names]
        day = (type_coerce(LateDownloadRow.at, BigInteger) // DAY).label("day")
        sums = [
            func.sum(LateDownloadRow.downloads),
            func.sum(LateDownloadRow.requests),
            func.sum(LateDownloadRow.bandwidth),
        ]
        last = func.max(type_coerce(LateDownloadRow.at, BigInteger))
        query: Select[Any] = select(*columns, day, *sums, last)
        query = query.where(
            col(LateDownloadRow.at) >= since, col(LateDownloadRow.at) < until
        ).group_by(*columns, day)
        for *values, downloads, requests, bandwidth, last_at in self.session.execute(query):
            found = (int(downloads), int(requests), int(bandwidth))
            if any(found):
                yield RollupDifference(dict(zip(DAILY, values, strict=True)), found, last_at)

    def _set(self, **values: object) -> None:
        self.session.execute(
            update(RollupStateRow).values(**values).execution_options(synchronize_session=False)
        )
