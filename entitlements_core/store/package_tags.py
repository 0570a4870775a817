"""The vendor's tags on packages, as one transaction sees them."""

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import NormalizedName
from packaging.version import Version
from sqlalchemy import delete
from sqlmodel import Session, col, select

from entitlements_core.policy.package_tags import Package, TaggedPackage
from entitlements_core.store.models import PackageTagRow
from entitlements_core.store.repositories import Repositories

__all__ = ["PackageTagRows"]


@dataclass(frozen=True, slots=True)
class PackageTagRows:
    """Which tags packages have.

    The services decide what may change; what writes here raises the repository's revision, by which
    the request path sees it.
    """

    session: Session

    def all(self, repository: str, project: str = "") -> tuple[TaggedPackage, ...]:
        """The tagged packages of a repository, or of one normalised project of it.

        By project; what is said of every version comes first, then version by version.

        Raises:
            NotFound: when there is no such repository.
        """
        mine = col(PackageTagRow.repository_id) == Repositories(self.session).row_id(repository)
        query = select(PackageTagRow).where(mine)
        if project:
            query = query.where(PackageTagRow.project == project)
        found: dict[Package, list[str]] = {}
        for row in self.session.exec(query):
            found.setdefault(_package(row), []).append(row.tag)
        return tuple(
            TaggedPackage(package, tuple(sorted(found[package])))
            for package in sorted(found, key=_order)
        )

    def get(self, repository: str, package: Package) -> tuple[str, ...]:
        """The tags that were given to just this package, sorted.

        Raises:
            NotFound: when there is no such repository.
        """
        tagged = self.all(repository, package.project)
        return next((one.tags for one in tagged if one.package == package), ())

    def put(self, repository: str, package: Package, tags: Iterable[str]) -> None:
        """Replace the tags of a package.

        Raises:
            NotFound: when there is no such repository.
        """
        repositories = Repositories(self.session)
        number = repositories.row_id(repository)
        mine = (
            col(PackageTagRow.repository_id) == number,
            col(PackageTagRow.project) == package.project,
        )
        # Equal versions may be spelled differently: 1.0 and 1.0.0.
        for row in self.session.exec(select(PackageTagRow).where(*mine)).all():
            if _package(row) == package:
                self.session.delete(row)
        self.session.flush()
        version = "" if package.version is None else str(package.version)
        self.session.add_all(
            PackageTagRow(repository_id=number, project=package.project, version=version, tag=tag)
            for tag in tags
        )
        repositories.touch(repository)

    def drop(self, repository: str) -> None:
        """Forget the tags of all packages of a repository.

        Raises:
            NotFound: when there is no such repository.
        """
        repositories = Repositories(self.session)
        mine = col(PackageTagRow.repository_id) == repositories.row_id(repository)
        self.session.execute(delete(PackageTagRow).where(mine))
        repositories.touch(repository)


def _package(row: PackageTagRow) -> Package:
    return Package(NormalizedName(row.project), Version(row.version) if row.version else None)


def _order(package: Package) -> tuple[str, bool, Version]:
    version = package.version
    return package.project, version is not None, Version("0") if version is None else version
