"""Reports over the counted downloads.

What is over is taken from roll-ups, what is not from the downloads themselves, all of it as one
transaction sees it: a report right after a download has it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from entitlements_core.errors import InvalidValue, Refused
from entitlements_core.store.download_sums import DownloadSums
from entitlements_core.store.models import DownloadRow, RepositoryRow, TokenRow
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.records import UsageLine
from entitlements_core.store.rollup_periods import (
    DAILY,
    DAY,
    DaySpan,
    Piece,
    RollupKind,
    cover,
    kind_for,
    start_of,
)
from entitlements_core.store.rollup_rows import RollupRows, RollupState
from entitlements_core.store.rollup_sums import Sums

__all__ = ["DIMENSIONS", "UsageReports"]

DIMENSIONS: Final = DAILY
"""What a report can be broken down by; a day is one of UTC."""
_EVER: Final = datetime.max.replace(tzinfo=UTC)
_FEW: Final = 100_000
"""Fewer downloads of a token than these are read faster than the roll-ups of all days."""
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is asked for, in the numbers of the store."""

    by: tuple[str, ...]
    tokens: frozenset[int] = frozenset()
    repositories: frozenset[int] = frozenset()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What lines have to be told apart by, to be filtered and summed up."""
        asked = {*self.by}
        asked |= {"token"} if self.tokens else set()
        asked |= {"repository"} if self.repositories else set()
        return tuple(name for name in DAILY if name in asked)


@dataclass(frozen=True, slots=True)
class UsageReports:
    """Downloads as one transaction sees them."""

    session: Session

    def report(  # noqa: PLR0913 - the choices of one report, all named
        self,
        by: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        repository: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[UsageLine, ...]:
        """Downloads summed up by dimensions, ordered by them.

        Args:
            by: of `DIMENSIONS`; none gives one line with the total, or no line for no download.
            tokens: identifiers; none is all.
            repository: ``owner/slug``; empty is all.
            since: inclusive.
            until: exclusive.
            limit: at most so many lines.

        Raises:
            InvalidValue: when there is no such dimension, or twice.
            Refused: when it would begin or end amid a day of which only sums are left.
        """
        _check_dimensions(by)
        wanted = _Wanted(
            by=tuple(by),
            tokens=self._tokens(tokens),
            repositories=self._repositories(repository),
        )
        if (tokens and not wanted.tokens) or (repository and not wanted.repositories):
            return ()
        sums = Sums(wanted.by)
        self._add_all(sums, wanted, to_micros(since) if since else None, until or _EVER)
        return self._lines(sums, wanted.by, limit)

    def _add_all(self, sums: Sums, wanted: _Wanted, since: int | None, until: datetime) -> None:
        rows = RollupRows(self.session)
        state = rows.state()
        first = rows.first_day(state) if since is None else -(-since // DAY)
        past = min(state.closed, to_micros(until) // DAY)
        start = start_of(first) if since is None else from_micros(since)
        if first >= past:
            _require_whole(rows, state, start, until)
            self._add_raw(sums, wanted, start, until)
            return
        begin, end = start_of(first), start_of(past)
        _require_whole(rows, state, start, begin)
        self._add_raw(sums, wanted, start, begin)
        self._add_days(sums, wanted, (first, past), state)
        _require_whole(rows, state, end, until)
        self._add_raw(sums, wanted, end, until)

    def _add_days(self, sums: Sums, wanted: _Wanted, span: DaySpan, state: RollupState) -> None:
        """Whole days that are over."""
        rows = RollupRows(self.session)
        kind = kind_for(wanted.dimensions)
        longer = rows.spans(kind) if kind != DAILY else frozenset[DaySpan]()
        stale = {day for day in rows.stale() if day >= state.frozen}
        few = kind == DAILY and bool(wanted.tokens) and self._are_few(wanted.tokens)
        if few:
            stale |= set(range(max(span[0], state.frozen), span[1]))
        pieces = list(cover(span, longer, stale))
        for piece in pieces:
            if not piece.is_rolled:
                first, past = piece.span
                self._add_raw(sums, wanted, start_of(first), start_of(past), few=few)
        self._add_rolled(sums, wanted, kind, _of(pieces, longer))
        self._add_rolled(sums, wanted, DAILY, _of(pieces, rows.spans(DAILY)))
        self._add_late(sums, wanted, span, state)

    def _add_rolled(
        self, sums: Sums, wanted: _Wanted, kind: RollupKind, spans: list[DaySpan]
    ) -> None:
        for table in RollupRows(self.session).tables(kind, spans):
            found = table.only("token", wanted.tokens) if wanted.tokens else table
            if wanted.repositories:
                found = found.only("repository", wanted.repositories)
            sums.add(found)

    def _add_raw(
        self,
        sums: Sums,
        wanted: _Wanted,
        since: datetime,
        until: datetime,
        *,
        few: bool = False,
    ) -> None:
        if since >= until:
            return
        for table in DownloadSums(self.session).tables(
            wanted.by,
            since,
            until,
            tokens=wanted.tokens,
            repositories=wanted.repositories,
            by_token=few,
        ):
            sums.add(table)

    def _add_late(self, sums: Sums, wanted: _Wanted, span: DaySpan, state: RollupState) -> None:
        past = min(span[1], state.frozen)
        if span[0] >= past:
            return
        rows = RollupRows(self.session)
        for one in rows.differences(start_of(span[0]), start_of(past)):
            if wanted.tokens and one.values["token"] not in wanted.tokens:
                continue
            if wanted.repositories and one.values["repository"] not in wanted.repositories:
                continue
            key = tuple(one.values[name] for name in wanted.by)
            sums.correct(key, one.sums, one.last_at, one.values["client"])

    def _are_few(self, tokens: Collection[int]) -> bool:
        some = select(DownloadRow.id).where(col(DownloadRow.token_id).in_(tokens)).limit(_FEW)
        counted = select(func.count()).select_from(some.subquery())
        return self.session.scalars(counted).one() < _FEW

    def _tokens(self, identifiers: Sequence[str]) -> frozenset[int]:
        found: set[int] = set()
        for start in range(0, len(identifiers), _CHUNK):
            some = identifiers[start : start + _CHUNK]
            query = select(TokenRow.id).where(col(TokenRow.identifier).in_(some))
            found |= {number for number in self.session.scalars(query) if number is not None}
        return frozenset(found)

    def _repositories(self, name: str) -> frozenset[int]:
        if not name:
            return frozenset()
        owner, _, slug = name.partition("/")
        query = select(RepositoryRow.id).where(
            RepositoryRow.owner == owner, RepositoryRow.slug == slug
        )
        return frozenset(number for number in self.session.scalars(query) if number is not None)

    def _lines(self, sums: Sums, by: tuple[str, ...], limit: int | None) -> tuple[UsageLine, ...]:
        names = [self._names(name) for name in by]
        found = [
            (tuple([name(value) for name, value in zip(names, line[0], strict=True)]), line)
            for line in sums.results()
        ]
        found.sort(key=itemgetter(0))
        return tuple(
            [
                UsageLine(
                    keys=keys,
                    downloads=downloads,
                    requests=requests,
                    clients=clients,
                    bandwidth=bandwidth,
                    last_at=from_micros(last_at),
                )
                for keys, (_, downloads, requests, bandwidth, last_at, clients) in found[:limit]
            ]
        )

    def _names(self, dimension: str) -> Callable[[Any], str]:
        """What the values of a dimension are called in a report."""
        if dimension == "token":
            return {one[0]: str(one[1]) for one in self.session.execute(_TOKENS)}.__getitem__
        if dimension == "repository":
            found = self.session.execute(_REPOSITORIES)
            return {one[0]: f"{one[1]}/{one[2]}" for one in found}.__getitem__
        return _date if dimension == "day" else str


_TOKENS: Final = select(TokenRow.id, TokenRow.identifier)
_REPOSITORIES: Final = select(RepositoryRow.id, RepositoryRow.owner, RepositoryRow.slug)


def _check_dimensions(by: Sequence[str]) -> None:
    twice = next((name for name, count in Counter(by).items() if count > 1), None)
    if twice is not None:
        raise InvalidValue("by", f"{twice!r} is named twice.", "Name it once.")
    for name in by:
        if name not in DIMENSIONS:
            raise InvalidValue(
                "by",
                f"A report cannot be broken down by {name!r}.",
                f"Use any of {', '.join(DIMENSIONS)}.",
            )


def _require_whole(rows: RollupRows, state: RollupState, since: datetime, until: datetime) -> None:
    """Refuse a part of a day whose downloads may be gone, where it had any."""
    frozen = start_of(state.frozen)
    if since >= min(until, frozen):
        return
    kept = {first for first, _ in rows.spans(DAILY)} | rows.late_days()
    last = to_micros(min(until, frozen)) - 1
    for day in range(to_micros(since) // DAY, last // DAY + 1):
        if day in kept:
            raise Refused(
                f"Of {start_of(day):%Y-%m-%d}, only the sums of the whole day are kept.",
                "Begin and end the report at 00:00 UTC of a day.",
            )


def _of(pieces: Sequence[Piece], spans: Collection[DaySpan]) -> list[DaySpan]:
    return [piece.span for piece in pieces if piece.is_rolled and piece.span in spans]


@lru_cache(maxsize=4_096)
def _date(day: int) -> str:
    return f"{start_of(day):%Y-%m-%d}"
