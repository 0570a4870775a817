"""Repositories by their name, ``owner/slug``."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from entitlements_core.errors import Conflict, NotFound
from entitlements_core.store.models import RepositoryRow
from entitlements_core.store.records import Repository

__all__ = ["Repositories"]


@dataclass(frozen=True, slots=True)
class Repositories:
    """The repositories as one transaction sees them."""

    session: Session

    def get(self, name: str) -> Repository:
        """The repository called `name`.

        Raises:
            NotFound: when there is none, or it was removed.
        """
        return _repository(self.row(name))

    def all(self) -> tuple[Repository, ...]:
        """Every repository that was not removed, by name."""
        query = select(RepositoryRow).where(col(RepositoryRow.removed_at).is_(None))
        order = (col(RepositoryRow.owner), col(RepositoryRow.slug))
        return tuple(map(_repository, self.session.exec(query.order_by(*order))))

    def names(self) -> frozenset[str]:
        """The names of all repositories that were not removed."""
        query = select(RepositoryRow.owner, RepositoryRow.slug).where(
            col(RepositoryRow.removed_at).is_(None)
        )
        return frozenset(f"{owner}/{slug}" for owner, slug in self.session.exec(query))

    def add(self, repository: Repository) -> None:
        """Make `repository`, or take up the row of one of that name that was removed.

        Raises:
            Conflict: when it exists.
        """
        row = self._find(repository.name)
        if row is not None and row.removed_at is None:
            raise Conflict(
                f"The repository {repository.name} exists already.",
                "Choose another name, or edit the one there is.",
            )
        if row is None:
            owner, _, slug = repository.name.partition("/")
            row = RepositoryRow(owner=owner, slug=slug, created_at=repository.created_at)
        row.removed_at = None
        row.created_at = repository.created_at
        row.created_by = repository.created_by
        self._write(row, repository)

    def save(self, repository: Repository) -> None:
        """Write the fields that can change, and raise the revision."""
        self._write(self.row(repository.name), repository)

    def touch(self, name: str) -> None:
        """Raise the revision: something that belongs to the repository was changed."""
        row = self.row(name)
        row.revision += 1
        self.session.add(row)
        self.session.flush()

    def remove(self, name: str, at: datetime) -> None:
        """Take the repository out of every list; its row stays for the history."""
        row = self.row(name)
        row.removed_at = at
        row.revision += 1
        self.session.add(row)
        self.session.flush()

    def row(self, name: str) -> RepositoryRow:
        """The row of `name`, for this package.

        Raises:
            NotFound: when there is none, or it was removed.
        """
        row = self._find(name)
        if row is None or row.removed_at is not None:
            raise NotFound(
                f"There is no repository {name!r}.",
                "Check the name (owner/slug), or add it with `entitlements repo add`.",
            )
        return row

    def row_id(self, name: str) -> int:
        """The number of `name`; raises as `row` does."""
        return self.row(name).id or 0

    def _find(self, name: str) -> RepositoryRow | None:
        owner, _, slug = name.partition("/")
        query = select(RepositoryRow).where(
            RepositoryRow.owner == owner, RepositoryRow.slug == slug
        )
        return self.session.exec(query).one_or_none()

    def _write(self, row: RepositoryRow, repository: Repository) -> None:
        row.description = repository.description
        row.contact = repository.contact
        row.enforce_eula = repository.enforce_eula
        row.user_tokens_enabled = repository.user_tokens_enabled
        row.revision = (row.revision or 0) + 1 if row.id else 1
        self.session.add(row)
        self.session.flush()


def _repository(row: RepositoryRow) -> Repository:
    return Repository(
        name=f"{row.owner}/{row.slug}",
        description=row.description,
        contact=row.contact,
        enforce_eula=row.enforce_eula,
        user_tokens_enabled=row.user_tokens_enabled,
        revision=row.revision,
        created_at=row.created_at,
        created_by=row.created_by,
    )
