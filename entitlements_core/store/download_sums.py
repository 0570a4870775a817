"""Sums of the counted downloads themselves, as one transaction sees them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import BigInteger, Select, func, select, type_coerce
from sqlmodel import Session, col

from entitlements_core.store.models import DownloadRow, RepositoryRow
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.rollup_periods import DAILY, DAY, DaySpan, start_of
from entitlements_core.store.rollup_tables import CLIENT, Line, Table

__all__ = ["COLUMNS", "DownloadSums", "Sum"]

_AT: Final = type_coerce(DownloadRow.at, BigInteger)
COLUMNS: Final[dict[str, Any]] = {
    "token": col(DownloadRow.token_id),
    "repository": col(DownloadRow.repository_id),
    "package": col(DownloadRow.project),
    "version": col(DownloadRow.version),
    "filename": col(DownloadRow.filename),
    "client": col(DownloadRow.client),
    "user_agent": col(DownloadRow.user_agent),
    "day": _AT // DAY,
}
"""What holds each dimension of a report."""
_CHUNK: Final = 5_000
Sum = tuple[int, int, int]
"""Downloads, requests, bytes."""


@dataclass(frozen=True, slots=True)
class DownloadSums:
    """Sums of the downloads, by days and by other dimensions."""

    session: Session

    def daily(self, day: int) -> Table:
        """What the downloads of a day sum up to."""
        lines = self._lines(DAILY, start_of(day), start_of(day + 1))
        return Table.of(DAILY, sorted(lines, key=itemgetter(0)))

    def tables(  # noqa: PLR0913 - the choices of one question, all named
        self,
        dimensions: tuple[str, ...],
        since: datetime,
        until: datetime,
        *,
        tokens: Collection[int] = (),
        repositories: Collection[int] = (),
        by_token: bool = False,
    ) -> Iterator[Table]:
        """Sums by dimensions, a part at a time; a key may be in several parts.

        Args:
            dimensions: what they are told apart by.
            since: inclusive.
            until: exclusive.
            tokens: numbers of rows; none is all.
            repositories: likewise.
            by_token: look for the downloads of `tokens`, which are fewer than those of the time.
        """
        lines = self._lines(
            dimensions,
            since,
            until,
            tokens=tokens,
            repositories=repositories,
            by_token=by_token,
        )
        while part := list(islice(lines, _CHUNK)):
            yield Table.of(dimensions, part)

    def by_day(self, span: DaySpan) -> dict[int, Sum]:
        """What the downloads of each day of a range add up to."""
        day = COLUMNS["day"].label("day")
        query: Select[Any] = select(
            day, func.count(), func.sum(DownloadRow.requests), func.sum(DownloadRow.bandwidth)
        )
        query = self._within(query, start_of(span[0]), start_of(span[1])).group_by(day)
        return {one[0]: (one[1], int(one[2]), int(one[3])) for one in self.session.execute(query)}

    def days(self, span: DaySpan) -> Iterator[int]:
        """The days of a range that have any; the index is looked into once for each."""
        first, past = span
        limit = to_micros(start_of(past))
        repositories = list(self.session.scalars(select(col(RepositoryRow.id))))
        while first < past:
            moments = [self._first_at(one, to_micros(start_of(first))) for one in repositories]
            found = min((at for at in moments if at is not None), default=limit)
            if found >= limit:
                return
            yield found // DAY
            first = found // DAY + 1

    def last_day(self, now: datetime) -> int:
        """The day of the last download until `now`; 0 without one."""
        moments = [
            self.session.scalars(
                select(func.max(_AT)).where(
                    col(DownloadRow.repository_id) == repository, col(DownloadRow.at) <= now
                )
            ).one()
            for repository in self.session.scalars(select(col(RepositoryRow.id))).all()
        ]
        return max((int(at) // DAY for at in moments if at), default=0)

    def _first_at(self, repository: int | None, since: int) -> int | None:
        query = (
            select(_AT)
            .where(
                col(DownloadRow.repository_id) == repository,
                col(DownloadRow.at) >= from_micros(since),
            )
            .order_by(col(DownloadRow.at))
            .limit(1)
        )
        return self.session.scalars(query).one_or_none()

    def _lines(  # noqa: PLR0913 - see `tables`
        self,
        dimensions: tuple[str, ...],
        since: datetime,
        until: datetime,
        *,
        tokens: Collection[int] = (),
        repositories: Collection[int] = (),
        by_token: bool = False,
    ) -> Iterator[Line]:
        keys = [COLUMNS[name].label(f"key_{name}") for name in dimensions]
        keys.append(COLUMNS[CLIENT].label("of_client"))
        query: Select[Any] = select(
            *keys,
            func.count(),
            func.sum(DownloadRow.requests),
            func.sum(DownloadRow.bandwidth),
            func.max(_AT),
        )
        query = self._within(query, since, until, repositories, by_token=by_token)
        if tokens:
            query = query.where(col(DownloadRow.token_id).in_(tokens))
        query = query.group_by(*keys).execution_options(yield_per=_CHUNK)
        for *key, client, downloads, requests, bandwidth, last_at in self.session.execute(query):
            yield (tuple(key), downloads, int(requests), int(bandwidth), last_at, (client,))

    def _within(
        self,
        query: Select[Any],
        since: datetime,
        until: datetime,
        repositories: Collection[int] = (),
        *,
        by_token: bool = False,
    ) -> Select[Any]:
        # By its repository, since that is what the index on moments begins with.
        known = repositories or list(self.session.scalars(select(col(RepositoryRow.id))))
        repository: Any = col(DownloadRow.repository_id)
        if by_token:
            repository += 0  # for an expression, the database uses no index
        return query.where(
            repository.in_(known), col(DownloadRow.at) >= since, col(DownloadRow.at) < until
        )
