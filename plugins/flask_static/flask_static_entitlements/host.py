"""What the core asks its host: which one this is, and which files it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from entitlements_core import hookimpl
from entitlements_core.engine.index import Index
from entitlements_core.policy.facts import FileFacts

__all__ = ["HostHooks"]


class HostHooks:
    """The host's side of the hooks, registered with the services of one app.

    Args:
        host: the name and version of the framework.

    Attributes:
        indexes: by repository, once they are open.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self.indexes: Mapping[str, Index] = {}

    @hookimpl
    def entitlements_host(self) -> str:
        """See the hook."""
        return self._host

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        """See the hook."""
        return tuple(self.indexes)

    @hookimpl
    def entitlements_files(
        self, repository: str, project: str | None
    ) -> Iterable[FileFacts] | None:
        """See the hook."""
        index = self.indexes.get(repository)
        return None if index is None else index.catalog.snapshot.facts_of(project)
