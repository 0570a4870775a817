"""Moments that a clock which was ahead has left in the store, and what becomes of them.

Only those that counting and reports compare with the time: what a vendor has set, such as an end or
a reset, may lie in the future.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, update
from sqlmodel import Session, col, select

from entitlements_core.policy.metering import CLOCK_SKEW
from entitlements_core.policy.period import ResetPeriod, period_start
from entitlements_core.store.models import (
    ClientRow,
    DownloadRow,
    PartialRow,
    SecretRow,
    TokenRow,
    UsageRow,
)
from entitlements_core.store.records import FutureReset
from entitlements_core.store.rollup_periods import day_of
from entitlements_core.store.rollup_rows import RollupRows

__all__ = ["FutureMoments"]

_COLUMNS: Final[dict[str, tuple[Any, Any]]] = {
    "usage.last_used_at": (UsageRow, col(UsageRow.last_used_at)),
    "clients.first_seen_at": (ClientRow, col(ClientRow.first_seen_at)),
    "clients.last_seen_at": (ClientRow, col(ClientRow.last_seen_at)),
    "partial_downloads.since": (PartialRow, col(PartialRow.since)),
    "secrets.last_used_at": (SecretRow, col(SecretRow.last_used_at)),
}
_CLOSED: Final = "rollup_state.closed_until"


@dataclass(frozen=True, slots=True)
class FutureMoments:
    """The moments as one transaction sees them."""

    session: Session
    now: datetime

    def counts(self) -> dict[str, int]:
        """How many there are of each that `mend` sets to now, by table and column."""
        found = {name: self._count(row, column) for name, (row, column) in _COLUMNS.items()}
        found[_CLOSED] = self._closed()
        return {name: count for name, count in found.items() if count}

    def downloads(self) -> int:
        """How many downloads were counted in the future; they stay, and nobody rides on them."""
        return self._count(DownloadRow, col(DownloadRow.at))

    def resets(self) -> Iterator[FutureReset]:
        """The counters that were zeroed in the future, and when they should have been."""
        query = (
            select(TokenRow, UsageRow.since)
            .join(UsageRow, col(UsageRow.token_id) == col(TokenRow.id))
            .where(self._is_ahead(col(UsageRow.since)))
            .order_by(col(TokenRow.id))
        )
        for token, since in self.session.execute(query).all():
            period = ResetPeriod(token.scheduled_reset_period)
            start = period_start(period, token.reset_anchor, self.now)
            yield FutureReset(token=token.identifier, since=since, mended=start or self.now)

    def mend(self) -> None:
        """Put all of them where they can be believed. Counters stay as they are."""
        for reset in list(self.resets()):
            self._mend_reset(reset)
        for row, column in _COLUMNS.values():
            self._update(row, self._is_ahead(column), **{column.key: self.now})
        if self._closed():
            RollupRows(self.session).open_from(day_of(self.now))

    def _closed(self) -> int:
        """Whether days that are not over were taken as over; what is frozen stays so."""
        state = RollupRows(self.session).state()
        return int(state.closed > max(day_of(self.now + CLOCK_SKEW), state.frozen))

    def _mend_reset(self, reset: FutureReset) -> None:
        numbers = select(TokenRow.id).where(TokenRow.identifier == reset.token)
        # Clients count in a period by its beginning.
        for row in (UsageRow, ClientRow):
            known = col(row.token_id) == numbers.scalar_subquery()
            self._update(row, known & (col(row.since) == reset.since), since=reset.mended)

    def _update(self, row: Any, where: ColumnElement[bool], **values: datetime) -> None:  # noqa: ANN401 - a table
        self.session.execute(
            update(row).where(where).values(**values).execution_options(synchronize_session=False)
        )

    def _count(self, row: Any, column: Any) -> int:  # noqa: ANN401 - a table and its column
        query = select(func.count()).select_from(row).where(self._is_ahead(column))
        return int(self.session.scalars(query).one())

    def _is_ahead(self, column: Any) -> ColumnElement[bool]:  # noqa: ANN401 - of any table
        found: ColumnElement[bool] = column > self.now + CLOCK_SKEW
        return found
