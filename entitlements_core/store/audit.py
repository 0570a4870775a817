"""The record of all changes; written in the same transaction as the change itself."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from entitlements_core.store.list_pages import page
from entitlements_core.store.models import AuditRow
from entitlements_core.store.records import AuditEntry, ListPage

__all__ = ["AuditLog"]


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Audit rows of one transaction. They are never changed or removed."""

    session: Session

    def write(self, entry: AuditEntry) -> None:
        """Add `entry`; its `id` is given by the database."""
        self.session.add(
            AuditRow(
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                repository=entry.repository,
                token=entry.token,
                before=dict(entry.before),
                after=dict(entry.after),
            )
        )

    def newest(self, now: datetime) -> datetime | None:
        """When something was changed last until `now`; None for never."""
        return self.session.exec(select(func.max(AuditRow.at)).where(col(AuditRow.at) <= now)).one()

    def knows(self, repository: str) -> bool:
        """Whether something of ``owner/slug`` was ever changed."""
        query = select(AuditRow.id).where(col(AuditRow.repository) == repository).limit(1)
        return self.session.exec(query).first() is not None

    def entries(  # noqa: PLR0913 - the filters of one list, all named
        self,
        *,
        repository: str = "",
        token: str = "",
        actor: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        number: int = 1,
        size: int = 30,
    ) -> ListPage[AuditEntry]:
        """The newest entries first.

        Args:
            repository: ``owner/slug``; empty is any.
            token: an identifier; empty is any.
            actor: exact; empty is any.
            since: inclusive.
            until: exclusive.
            number: of the page, from 1.
            size: of a page, 1 to 500.
        """
        query = select(AuditRow)
        for column, wanted in (
            (AuditRow.repository, repository),
            (AuditRow.token, token),
            (AuditRow.actor, actor),
        ):
            query = query.where(col(column) == wanted) if wanted else query
        query = query if since is None else query.where(col(AuditRow.at) >= since)
        query = query if until is None else query.where(col(AuditRow.at) < until)
        rows = page(self.session, query, (col(AuditRow.id).desc(),), number=number, size=size)
        return ListPage(
            items=tuple(map(_entry, rows.items)), total=rows.total, number=number, size=size
        )


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id or 0,
        at=row.at,
        actor=row.actor,
        action=row.action,
        repository=row.repository,
        token=row.token,
        before=row.before,
        after=row.after,
    )
