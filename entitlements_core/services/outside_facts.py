"""The facts of files that an index does not know: what the store counts, tags and plugins add."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from entitlements_core.plugins import Plugins
from entitlements_core.policy.facts import Fact, FileFacts
from entitlements_core.policy.package_tags import VendorTags
from entitlements_core.policy.query import PackageQuery

__all__ = ["Completion", "FactSource", "completion", "with_outside_facts"]


class FactSource(Protocol):
    """What the store knows of files; ``store.reader.CredentialReader``."""

    def downloads(self, repository: str) -> Mapping[str, int]:
        """How often each file of a repository was downloaded, by file name."""
        ...

    def package_tags(self, repository: str) -> VendorTags:
        """The vendor's tags of a repository's packages."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Adds to the facts of a file those that a restriction asks for; None is not asked for.

    Attributes:
        downloads: counted ones, by file name.
        tags: of the repository's packages.
        foreign: asks the plugins for the facts that they add.
    """

    downloads: Mapping[str, int] | None = None
    tags: VendorTags | None = None
    foreign: Callable[[FileFacts], Mapping[str, str]] | None = None

    @property
    def tags_state(self) -> Hashable:
        """Changes with the tags; None where they are not asked for."""
        return None if self.tags is None else self.tags.state

    def __call__(self, facts: FileFacts) -> FileFacts:
        """`facts` completed; the same object where nothing is to be added."""
        changes: dict[str, Any] = {}
        if self.downloads is not None:
            changes["downloads"] = self.downloads.get(facts.filename, 0)
        if self.foreign is not None:
            changes["extra"] = self.foreign(facts)
        if self.tags is not None:
            given = self.tags.of(facts.name, facts.version)
            if not given <= facts.tags:
                changes["tags"] = facts.tags | given
        return replace(facts, **changes) if changes else facts


def completion(
    query: PackageQuery | None, repository: str, *, source: FactSource, plugins: Plugins
) -> Completion | None:
    """What adds the facts that `query` asks for and an index does not know; None for none.

    Args:
        query: None asks for nothing.
        repository: ``owner/slug`` of the files.
        source: read at most once for each kind of fact, now.
        plugins: asked for each file.

    Raises:
        StoreError: when the source cannot be read.
    """
    if query is None or not (query.foreign or query.needs & {Fact.DOWNLOADS, Fact.TAGS}):
        return None
    return Completion(
        downloads=source.downloads(repository) if Fact.DOWNLOADS in query.needs else None,
        tags=source.package_tags(repository) if Fact.TAGS in query.needs else None,
        foreign=plugins.file_facts if query.foreign else None,
    )


def with_outside_facts(
    files: Iterable[FileFacts],
    query: PackageQuery | None,
    *,
    repository: str,
    source: FactSource,
    plugins: Plugins,
) -> tuple[FileFacts, ...]:
    """`files` of a repository with the facts that `completion` adds, for a look at them.

    Raises:
        StoreError: when the source cannot be read.
    """
    complete = completion(query, repository, source=source, plugins=plugins)
    return tuple(files) if complete is None else tuple(map(complete, files))
