"""What the core asks its host: which one this is, which files it has, who may read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from entitlements_core import hookimpl
from entitlements_core.engine.index import Index
from entitlements_core.policy.facts import FileFacts

__all__ = ["HostHooks"]


class HostHooks:
    """The host's side of the hooks.

    Args:
        host: pypiserver with its version.
        users: gives the publishers by name; None where they are not ours to name.

    Attributes:
        index: of the one repository, once it is open.
    """

    def __init__(self, host: str, users: Callable[[], frozenset[str] | None]) -> None:
        self._host = host
        self._users = users
        self.index: Index | None = None

    @hookimpl
    def entitlements_host(self) -> str:
        """See the hook."""
        return self._host

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        """See the hook."""
        return () if self.index is None else (self.index.repository,)

    @hookimpl
    def entitlements_files(
        self, repository: str, project: str | None
    ) -> Iterable[FileFacts] | None:
        """See the hook."""
        if self.index is None or self.index.repository != repository:
            return None
        return self.index.catalog.snapshot.facts_of(project)

    @hookimpl
    def entitlements_user_may_read(self, user: str, repository: str) -> bool | None:
        """A user of the password file reads everything, as pypiserver lets them."""
        if self.index is None or self.index.repository != repository:
            return None
        users = self._users()
        return None if users is None else user in users
