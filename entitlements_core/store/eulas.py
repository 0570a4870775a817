"""Licence texts of repositories, revision by revision, and who accepted which."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, select

from entitlements_core.errors import NotFound
from entitlements_core.store.models import EulaAcceptanceRow, EulaRow, RepositoryRow
from entitlements_core.store.records import EulaRevision
from entitlements_core.store.repositories import Repositories
from entitlements_core.store.tokens import Tokens

__all__ = ["Eulas"]


@dataclass(frozen=True, slots=True)
class Eulas:
    """Licences as one transaction sees them."""

    session: Session

    def add(self, revision: EulaRevision) -> None:
        """Keep a revision under its number.

        Raises:
            NotFound: when there is no such repository.
        """
        self.session.add(
            EulaRow(
                repository_id=Repositories(self.session).row_id(revision.repository),
                number=revision.number,
                identifier=revision.identifier,
                content=revision.content,
                sha256=revision.sha256,
                created_at=revision.created_at,
                created_by=revision.created_by,
            )
        )
        self.session.flush()

    def all(self, repository: str) -> tuple[EulaRevision, ...]:
        """The revisions of `repository`, the one in force first."""
        query = (
            select(EulaRow)
            .where(EulaRow.repository_id == Repositories(self.session).row_id(repository))
            .order_by(col(EulaRow.number).desc())
        )
        return tuple(_revision(row, repository) for row in self.session.exec(query))

    def get(self, repository: str, number: int | None = None) -> EulaRevision:
        """One revision; the one in force when no number is given.

        Raises:
            NotFound: when there is none.
        """
        for revision in self.all(repository):
            if number in {None, revision.number}:
                return revision
        which = "licence" if number is None else f"licence revision {number}"
        raise NotFound(
            f"The repository {repository} has no {which}.",
            "List its revisions, or add one with `entitlements eula add`.",
        )

    def by_identifier(self, identifier: str) -> EulaRevision:
        """The revision with this public name.

        Raises:
            NotFound: when there is none.
        """
        query = (
            select(EulaRow, RepositoryRow)
            .join(RepositoryRow, col(RepositoryRow.id) == EulaRow.repository_id)
            .where(EulaRow.identifier == identifier)
        )
        found = self.session.exec(query).one_or_none()
        if found is None:
            raise NotFound(f"There is no licence {identifier!r}.", "Check the address.")
        row, repository = found
        return _revision(row, f"{repository.owner}/{repository.slug}")

    def accept(self, token: str, revision: EulaRevision, *, at: datetime, address: str) -> bool:
        """Note that the holder of `token` accepted `revision`; False when it was noted before."""
        key = (Tokens(self.session).row(token).id or 0, self._number(revision))
        if self.session.get(EulaAcceptanceRow, key) is not None:
            return False
        self.session.add(
            EulaAcceptanceRow(
                token_id=key[0], eula_id=key[1], accepted_at=at, accepted_from=address
            )
        )
        self.session.flush()
        return True

    def withdraw(self, token: str, revision: EulaRevision) -> None:
        """Forget that the holder of `token` accepted `revision`."""
        self.session.execute(
            delete(EulaAcceptanceRow).where(
                col(EulaAcceptanceRow.token_id) == Tokens(self.session).row(token).id,
                col(EulaAcceptanceRow.eula_id) == self._number(revision),
            )
        )
        self.session.expire_all()

    def _number(self, revision: EulaRevision) -> int:
        query = select(EulaRow.id).where(EulaRow.identifier == revision.identifier)
        return self.session.exec(query).one() or 0


def _revision(row: EulaRow, repository: str) -> EulaRevision:
    return EulaRevision(
        repository=repository,
        number=row.number,
        identifier=row.identifier,
        content=row.content,
        sha256=row.sha256,
        created_at=row.created_at,
        created_by=row.created_by,
    )
