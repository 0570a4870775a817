"""Downloads of long ago, read and removed a few at a time, and how far an export of them got."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from sqlalchemy import Select, delete, func, select
from sqlmodel import Session, col

from entitlements_core.store.models import (
    DownloadRow,
    PrunedRow,
    RepositoryRow,
    StoreInfoRow,
    TokenRow,
)
from entitlements_core.store.records import DownloadRecord
from entitlements_core.store.rollup_rows import RollupRows

__all__ = ["OldDownloads"]

_EXPORT: Final = "export:"
_TOGETHER: Final = 500


@dataclass(frozen=True, slots=True)
class OldDownloads:
    """The downloads as one transaction sees them."""

    session: Session

    def count(self, before: datetime) -> int:
        """How many were counted before a moment."""
        query = self._old(select(func.count()).select_from(DownloadRow), before)
        return int(self.session.scalars(query).one())

    def oldest(self, before: datetime, limit: int) -> tuple[DownloadRecord, ...]:
        """Some that were counted before a moment, repository by repository, the oldest first.

        Nobody changes them until the end of the transaction.
        """
        found: list[DownloadRecord] = []
        for number, name in self._repositories():
            query = (
                select(DownloadRow, col(TokenRow.identifier))
                .join(TokenRow, col(TokenRow.id) == col(DownloadRow.token_id))
                .where(col(DownloadRow.repository_id) == number, col(DownloadRow.at) < before)
                .order_by(col(DownloadRow.at), col(DownloadRow.id))
                .limit(limit - len(found))
                .with_for_update(of=DownloadRow)
            )
            rows = self.session.execute(query).all()
            found += [_download(row, token, name) for row, token in rows]
            if len(found) == limit:
                break
        self.session.expunge_all()
        return tuple(found)

    def remove(self, downloads: Sequence[DownloadRecord]) -> None:
        """Remove them; their roll-ups and all counters stay."""
        rows = RollupRows(self.session)
        rows.set_pruning(on=True)
        numbers = [one.id for one in downloads]
        for start in range(0, len(numbers), _TOGETHER):
            some = numbers[start : start + _TOGETHER]
            self.session.execute(
                delete(DownloadRow)
                .where(col(DownloadRow.id).in_(some))
                .execution_options(synchronize_session=False)
            )
        rows.set_pruning(on=False)
        self._note_counts(Counter((one.repository, one.filename) for one in downloads))

    def exported_size(self, file: str) -> int | None:
        """How much of an export holds what was removed, in bytes; None when it is not known."""
        row = self.session.get(StoreInfoRow, _EXPORT + file)
        return None if row is None else int(row.value)

    def note_export(self, file: str, size: int) -> None:
        """All that was removed so far is in the first `size` bytes of an export."""
        self.session.merge(StoreInfoRow(name=_EXPORT + file, value=str(size)))

    def _note_counts(self, counts: Counter[tuple[str, str]]) -> None:
        numbers = {name: number for number, name in self._repositories()}
        # The other store's dialect need not be loaded.
        dialect = import_module(f"sqlalchemy.dialects.{self.session.connection().dialect.name}")
        for (repository, filename), downloads in sorted(counts.items()):
            values = {
                "repository_id": numbers[repository],
                "filename": filename,
                "downloads": downloads,
            }
            query = dialect.insert(PrunedRow).values(**values)
            self.session.execute(
                query.on_conflict_do_update(
                    index_elements=["repository_id", "filename"],
                    set_={"downloads": col(PrunedRow.downloads) + downloads},
                )
            )

    def _old(self, query: Select[Any], before: datetime) -> Select[Any]:
        # By its repository, since that is what the index on moments begins with.
        known = [number for number, _ in self._repositories()]
        return query.where(col(DownloadRow.repository_id).in_(known), col(DownloadRow.at) < before)

    def _repositories(self) -> list[tuple[int, str]]:
        query = select(
            col(RepositoryRow.id), col(RepositoryRow.owner), col(RepositoryRow.slug)
        ).order_by(col(RepositoryRow.id))
        return [(one[0], f"{one[1]}/{one[2]}") for one in self.session.execute(query)]


def _download(row: DownloadRow, token: str, repository: str) -> DownloadRecord:
    return DownloadRecord(
        id=row.id or 0,
        at=row.at,
        token=token,
        repository=repository,
        package=row.project,
        version=row.version,
        filename=row.filename,
        client=row.client,
        user_agent=row.user_agent,
        requests=row.requests,
        bandwidth=row.bandwidth,
    )
