"""Use cases of the vendor's tags on packages: add, remove, show.

They are kept in the store and not in the host, so that ``tag:`` means the same on every host. A tag
may be given before there is such a file.
"""

from collections.abc import Iterable

from entitlements_core.errors import NotFound
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.package_tags import Package, TaggedPackage, check_package_tags
from entitlements_core.services.operations import Operation, Operations

__all__ = ["PackageTags"]


class PackageTags:
    """Tags on packages. Each change is one transaction, and holds from the next request on.

    Args:
        operations: begins the transactions.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def add(
        self, repository: str, package: str, tags: Iterable[str], *, actor: Actor
    ) -> TaggedPackage:
        """Tag a package; gives all tags that it has now. Twice is as good as once.

        Args:
            repository: ``owner/slug``.
            package: ``PROJECT`` for every version, also those to come, or ``PROJECT==VERSION``.
            tags: at most 50 in all, of 1 to 64 characters without space; kept in lower case.
            actor: who asks.

        Raises:
            NotFound: when there is no such repository.
            InvalidValue: when the package or a tag does not fit, or a tag is ``latest``.
        """
        found, words = Package.parse(package), check_package_tags(tags)
        with self._operations.begin(actor) as operation:
            before = operation.unit.package_tags.get(repository, found)
            after = check_package_tags({*before, *words})
            return _replace(operation, repository, found, before, after)

    def remove(
        self, repository: str, package: str, tags: Iterable[str], *, actor: Actor
    ) -> TaggedPackage:
        """Take tags from a package; gives those that it has left.

        Args:
            repository: ``owner/slug``.
            package: as it was tagged: a tag on every version is not on one of them.
            tags: all of which it has.
            actor: who asks.

        Raises:
            NotFound: when there is no such repository, or the package lacks one of the tags.
            InvalidValue: when the package or a tag does not fit.
        """
        found, words = Package.parse(package), check_package_tags(tags)
        with self._operations.begin(actor) as operation:
            before = operation.unit.package_tags.get(repository, found)
            lacking = next((word for word in words if word not in before), None)
            if lacking is not None:
                has = f"It has {', '.join(before)}" if before else "It has no tags"
                raise NotFound(
                    f"{found} in {repository} does not have the tag {lacking!r}.",
                    f"{has}; `entitlements package tags {found.project}` lists those of the"
                    " project and of its versions.",
                )
            after = tuple(tag for tag in before if tag not in words)
            return _replace(operation, repository, found, before, after)

    def of(self, repository: str, project: str) -> tuple[TaggedPackage, ...]:
        """The tags of one project: of every version first, then version by version.

        Raises:
            NotFound: when there is no such repository.
            InvalidValue: when `project` is no name.
        """
        name = Package.parse(project).project
        with self._operations.database.read() as unit:
            return unit.package_tags.all(repository, name)

    def all(self, repository: str) -> tuple[TaggedPackage, ...]:
        """The tags of all packages of a repository, by project.

        Raises:
            NotFound: when there is no such repository.
        """
        with self._operations.database.read() as unit:
            return unit.package_tags.all(repository)


def _replace(
    operation: Operation,
    repository: str,
    package: Package,
    before: tuple[str, ...],
    after: tuple[str, ...],
) -> TaggedPackage:
    if before != after:
        operation.unit.package_tags.put(repository, package, after)
        operation.record(
            "package.tagged" if set(after) > set(before) else "package.untagged",
            repository,
            before={"package": str(package), "tags": list(before)},
            after={"package": str(package), "tags": list(after)},
        )
    return TaggedPackage(package, after)
