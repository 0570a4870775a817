"""Names that a repository reserves, as one transaction sees them; servers ask the reader."""

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import NormalizedName
from sqlalchemy import delete
from sqlmodel import Session, col, select

from entitlements_core.policy.project_names import NamePattern
from entitlements_core.store.models import ProjectNameRow, ReservedNameRow
from entitlements_core.store.repositories import Repositories

__all__ = ["ReservedNameRows"]


@dataclass(frozen=True, slots=True)
class ReservedNameRows:
    """Which names repositories reserve."""

    session: Session

    def of(self, repository: str) -> tuple[NamePattern, ...]:
        """The reserved names of a repository, in alphabetical order.

        Raises:
            NotFound: when there is no such repository.
        """
        number = Repositories(self.session).row_id(repository)
        query = select(ReservedNameRow).where(ReservedNameRow.repository_id == number)
        rows = self.session.exec(query)
        return tuple(sorted(NamePattern(row.text, bool(row.is_prefix)) for row in rows))

    def of_files(self, repository: str) -> frozenset[NormalizedName]:
        """The names that files of a repository have or had.

        Raises:
            NotFound: when there is no such repository.
        """
        number = Repositories(self.session).row_id(repository)
        query = select(ProjectNameRow.name).where(ProjectNameRow.repository_id == number)
        return frozenset(map(NormalizedName, self.session.exec(query)))

    def put(self, repository: str, patterns: Iterable[NamePattern]) -> None:
        """Replace the reserved names of a repository.

        Raises:
            NotFound: when there is no such repository.
        """
        repositories = Repositories(self.session)
        number = repositories.row_id(repository)
        mine = col(ReservedNameRow.repository_id) == number
        self.session.execute(delete(ReservedNameRow).where(mine))
        self.session.add_all(
            ReservedNameRow(
                repository_id=number, text=pattern.text, is_prefix=int(pattern.is_prefix)
            )
            for pattern in patterns
        )
        repositories.touch(repository)
