"""What is done with a store by command: its use cases, each made when it is first asked for.

A server that answers customers needs none of them. So each is imported where it is made: they take
0.5 MiB and 6 ms of a worker, and SQLAlchemy, which the store below them needs, 20 MiB and 240 ms.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from entitlements_core.policy.query import PackageQuery
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.keyring import Keyring
from entitlements_core.store.database_url import DatabaseURL

if TYPE_CHECKING:
    from entitlements_core.interfaces import Clock
    from entitlements_core.plugins import Plugins
    from entitlements_core.services.clock_repair import ClockRepair
    from entitlements_core.services.eulas import EulaService
    from entitlements_core.services.operations import Operations
    from entitlements_core.services.package_tags import PackageTags
    from entitlements_core.services.reports import Reports
    from entitlements_core.services.repositories import RepositoryService
    from entitlements_core.services.reserved_names import ReservedNames
    from entitlements_core.services.retention import Retention
    from entitlements_core.services.rollups import Rollups
    from entitlements_core.services.rotation import Rotation
    from entitlements_core.services.settings import Settings
    from entitlements_core.services.sync import Sync
    from entitlements_core.services.token_grants import TokenGrants
    from entitlements_core.services.token_issuer import Issuer
    from entitlements_core.services.token_lifecycle import Lifecycle
    from entitlements_core.services.upload_times import UploadService
    from entitlements_core.services.user_tokens import UserTokens
    from entitlements_core.store.database import Database

__all__ = ["Administration"]


class _Closable(Protocol):
    def close(self) -> None: ...


_Part = TypeVar("_Part", bound=_Closable)


class Administration:
    """The use cases of one store.

    Args:
        settings: of this server.
        plugins: the registered ones.
        clock: tells the time.

    Raises:
        ConfigurationError: when the store's URL names no database that can be spoken to.
    """

    def __init__(self, settings: Settings, plugins: Plugins, clock: Clock) -> None:
        self.settings = settings
        self.plugins = plugins
        self.clock = clock
        self.plugins.opened(settings.home)
        self.database_url = DatabaseURL.parse(settings.url, timeouts=settings.timeouts)
        self.binding = HostBinding(plugins)
        self._opened: list[_Closable] = []

    def close(self) -> None:
        """Let go of the store's connections, in the order in which the parts were made.

        The first one made only reads. One that writes should be the last to leave a SQLite store:
        it works off the log and removes it.
        """
        for part in self._opened:
            part.close()

    @cached_property
    def keyring(self) -> Keyring:
        """The server's key."""
        return Keyring.load(self.settings.key_file)

    def parse_query(self, text: str) -> PackageQuery:
        """A restriction in the language with the plugins' fields.

        Raises:
            QuerySyntaxError: when it cannot be read.
        """
        return self._parse(text)

    @cached_property
    def database(self) -> Database:
        """The store. The request path does without it."""
        from entitlements_core.store.database import Database

        return self._to_close(Database(self.database_url, key_fingerprint=self.keyring.fingerprint))

    @cached_property
    def operations(self) -> Operations:
        """Begins the transactions of all use cases."""
        from entitlements_core.services.operations import Operations

        return Operations(
            database=self.database, clock=self.clock, on_change=self.plugins.token_changed
        )

    @cached_property
    def issuer(self) -> Issuer:
        """Makes tokens and secrets for the use cases."""
        from entitlements_core.services.token_issuer import Issuer

        return Issuer(
            sealer=self.keyring, seal_secrets=self.settings.seal_secrets, parse=self.parse_query
        )

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """Tokens: create, show, list, edit, enable, disable, reset, delete."""
        from entitlements_core.services.token_lifecycle import Lifecycle

        return Lifecycle(
            self.operations, self.issuer, self.binding, quota=self.settings.token_quota
        )

    @cached_property
    def rotation(self) -> Rotation:
        """Secrets: set, refresh, show."""
        from entitlements_core.services.rotation import Rotation

        return Rotation(self.operations, self.issuer)

    @cached_property
    def repositories(self) -> RepositoryService:
        """Repositories: add, list, show, edit, remove."""
        from entitlements_core.services.repositories import RepositoryService

        return RepositoryService(self.operations, self.issuer, self.binding)

    @cached_property
    def sync(self) -> Sync:
        """Tokens of one repository copied to another."""
        from entitlements_core.services.sync import Sync

        return Sync(self.operations, self.binding, quota=self.settings.token_quota)

    @cached_property
    def user_tokens(self) -> UserTokens:
        """Tokens of the host's users, and their cleanup."""
        from entitlements_core.services.user_tokens import UserTokens

        return UserTokens(self.operations, self.issuer, self.binding, self.plugins.user_permission)

    @cached_property
    def grants(self) -> TokenGrants:
        """What tokens open: grant, revoke, grant anew."""
        from entitlements_core.services.token_grants import TokenGrants

        return TokenGrants(self.operations, self.issuer, self.binding)

    @cached_property
    def eulas(self) -> EulaService:
        """Licence texts and their acceptance."""
        from entitlements_core.services.eulas import EulaService

        return EulaService(self.operations)

    @cached_property
    def package_tags(self) -> PackageTags:
        """The vendor's tags on packages."""
        from entitlements_core.services.package_tags import PackageTags

        return PackageTags(self.operations)

    @cached_property
    def reserved_names(self) -> ReservedNames:
        """Names that are the vendor's without a file."""
        from entitlements_core.services.reserved_names import ReservedNames

        return ReservedNames(self.operations)

    @cached_property
    def upload_times(self) -> UploadService:
        """Upload times that are set by hand."""
        from entitlements_core.services.upload_times import UploadService

        return UploadService(self.operations)

    @cached_property
    def reports(self) -> Reports:
        """Usage, clients and audit."""
        from entitlements_core.services.reports import Reports

        return Reports(database=self.database)

    @cached_property
    def rollups(self) -> Rollups:
        """What reports are quick with."""
        from entitlements_core.services.rollups import Rollups

        return Rollups(self.operations)

    @cached_property
    def retention(self) -> Retention:
        """Downloads of long ago."""
        from entitlements_core.services.retention import Retention

        return Retention(self.operations, window=self.settings.window)

    @cached_property
    def clock_repair(self) -> ClockRepair:
        """What a clock that was ahead has left."""
        from entitlements_core.services.clock_repair import ClockRepair

        return ClockRepair(self.operations)

    def _to_close(self, part: _Part) -> _Part:
        """`part`, to be closed with everything else."""
        self._opened.append(part)
        return part

    @cached_property
    def _parse(self) -> partial[PackageQuery]:
        return partial(PackageQuery.parse, extra_fields=tuple(self.plugins.query_fields()))
