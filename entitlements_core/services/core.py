"""The composition root: settings in, services out. The only place that puts stores into services.

Parts are made when they are first asked for. A server of pages asks for the gate alone, and never
loads what only an administrator needs.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from entitlements_core.errors import KeyFileError
from entitlements_core.interfaces import Clock
from entitlements_core.plugins import Plugins
from entitlements_core.policy.query import PackageQuery
from entitlements_core.services import clock
from entitlements_core.services.client_addresses import ClientAddresses
from entitlements_core.services.gate import Gate, MarkOf
from entitlements_core.services.home import protect_home
from entitlements_core.services.home_access import require_access
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.readiness import Readiness
from entitlements_core.services.settings import Settings
from entitlements_core.services.throttle import Throttle
from entitlements_core.services.upload_times import RecordedUploads, UploadService
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.ledger import Ledger, LedgerDriver
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.schema_revisions import HEAD, require_current, stored_revision
from entitlements_core.store.upload_register import UploadRegister

if TYPE_CHECKING:
    from entitlements_core.services.clock_repair import ClockRepair
    from entitlements_core.services.eulas import EulaService
    from entitlements_core.services.grant_bindings import Regranting
    from entitlements_core.services.package_tags import PackageTags
    from entitlements_core.services.reports import Reports
    from entitlements_core.services.repositories import RepositoryService
    from entitlements_core.services.reserved_names import ReservedNames
    from entitlements_core.services.retention import Retention
    from entitlements_core.services.rollups import Rollups
    from entitlements_core.services.rotation import Rotation
    from entitlements_core.services.sync import Sync
    from entitlements_core.services.token_lifecycle import Lifecycle
    from entitlements_core.services.user_tokens import UserTokens
    from entitlements_core.store.database import Database

__all__ = ["Core"]


log: Final = logging.getLogger("entitlements.home")


class Core:
    """The services of one store.

    Args:
        settings: of this server.
        plugins: the registered ones; those of the entry-point group by default.
        clock: tells the time.
        mark_of: the host, whose requests are let in here, tells which repository has a name now.

    Raises:
        ConfigurationError: when the store's URL names no database that can be spoken to.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        plugins: Plugins | None = None,
        clock: Clock = clock.now,
        mark_of: MarkOf | None = None,
    ) -> None:
        self.settings = settings
        self._mark_of = mark_of
        self.plugins = Plugins() if plugins is None else plugins
        self.clock = clock
        self.plugins.opened(settings.home)
        self.database_url = DatabaseURL.parse(settings.url, timeouts=settings.timeouts)

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        create: bool = False,
        plugins: Plugins | None = None,
        clock: Clock = clock.now,
        mark_of: MarkOf | None = None,
    ) -> Core:
        """The services of an existing store, or of a new one.

        Args:
            settings: of this server.
            create: make the key and the store on first start, and bring an older schema up to date.
                A store that has lost its key is never given a new one, and one that was in use
                and is gone is never made anew.
            plugins: the registered ones; those of the entry-point group by default.
            clock: tells the time.
            mark_of: see the class.

        Raises:
            ConfigurationError: when this user cannot read, or make, the home.
            KeyFileError: when the key is missing, or not the one that the store was made with.
            StoreError: when the store is missing, older or newer than this code, or out of reach.
            PluginError: when a plugin does not fit.
        """
        require_access(settings, serves=create, makes=create)
        core = cls(settings, plugins=plugins, clock=clock, mark_of=mark_of)
        if create:
            if core.database_url.is_sqlite:
                core.database_url.file.refuse_loss()
            made = core.create()
            if "database" in made:
                log.warning("a new store was made: %s, with no token in it", core.database_url)
        require_current(core.database_url)
        if core.reader.key_fingerprint() != core.keyring.fingerprint:
            core.database.bind_key(core.keyring.fingerprint)
        return core

    def create(self) -> tuple[str, ...]:
        """Make the key and the store where there are none; bring the schema up to date.

        Returns:
            What this call made, of ``key database``; ``schema`` when only the tables were brought
            up to date. Another process may make one or the other at the same time.

        Raises:
            KeyFileError: when the store exists and its key does not.
            StoreError: when the store cannot be made.
        """
        protect_home(self.settings.home)
        made = []
        revision = self._revision()
        if revision is None and Keyring.make(self.settings.key_file):
            made.append("key")
        _ = self.keyring.fingerprint  # a store without its key is left alone
        if revision != HEAD and (before := self.database.upgrade()) != HEAD:
            made.append("database" if before is None else "schema")
        return tuple(made)

    @cached_property
    def keyring(self) -> Keyring:
        """The server's key."""
        return Keyring.load(self.settings.key_file)

    @cached_property
    def database(self) -> Database:
        """The store, for administration. The request path does without it."""
        from entitlements_core.store.database import Database  # noqa: PLC0415 - see the module

        known = self.__dict__.get("keyring")
        fingerprint = None if known is None else known.fingerprint
        return Database(self.database_url, key_fingerprint=fingerprint)

    @cached_property
    def gate(self) -> Gate:
        """What adapters hold."""
        settings = self.settings
        return Gate(
            reader=self.reader,
            ledger=Ledger(self._ledger_driver()),
            sealer=self.keyring,
            plugins=self.plugins,
            throttle=Throttle(guesses_per_minute=settings.guesses_per_minute),
            window=settings.window,
            ipv6_prefix=settings.ipv6_prefix,
            mark_of=self._mark_of,
            bind=self._bind,
        )

    @cached_property
    def addresses(self) -> ClientAddresses:
        """Reads where requests come from."""
        settings = self.settings
        return ClientAddresses(settings.proxies, home=settings.home, clock=self.clock)

    @cached_property
    def reader(self) -> CredentialReader:
        """Finds credentials."""
        return CredentialReader(
            self.database_url,
            parse=self.parse_query,
            eula_url=self.settings.eula_url,
            key_fingerprint=self.keyring.fingerprint,
        )

    @cached_property
    def readiness(self) -> Readiness:
        """Whether the store answers."""
        return Readiness(self._require_store)

    def parse_query(self, text: str) -> PackageQuery:
        """A restriction in the language with the plugins' fields.

        Raises:
            QuerySyntaxError: when it cannot be read.
        """
        return self._parse(text)

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """Tokens: create, show, list, edit, enable, disable, reset, delete, grant."""
        from entitlements_core.services.token_lifecycle import Lifecycle  # noqa: PLC0415 - see the module

        return Lifecycle(
            database=self.database,
            sealer=self.keyring,
            clock=self.clock,
            on_change=self.plugins.token_changed,
            quota=self.settings.token_quota,
            seal_secrets=self.settings.seal_secrets,
            parse=self.parse_query,
            binding=self.binding,
        )

    @cached_property
    def rotation(self) -> Rotation:
        """Secrets: set, refresh, show."""
        from entitlements_core.services.rotation import Rotation  # noqa: PLC0415 - see the module

        return Rotation(
            database=self.database,
            sealer=self.keyring,
            clock=self.clock,
            on_change=self.plugins.token_changed,
            seal_secrets=self.settings.seal_secrets,
        )

    @cached_property
    def repositories(self) -> RepositoryService:
        """Repositories: add, list, show, edit, remove."""
        from entitlements_core.services.repositories import (  # noqa: PLC0415 - see the module
            RepositoryService,
        )

        return RepositoryService(
            database=self.database,
            sealer=self.keyring,
            clock=self.clock,
            on_change=self.plugins.token_changed,
            seal_secrets=self.settings.seal_secrets,
            parse=self.parse_query,
            binding=self.binding,
        )

    @cached_property
    def sync(self) -> Sync:
        """Tokens of one repository copied to another."""
        from entitlements_core.services.sync import Sync  # noqa: PLC0415 - see the module

        return Sync(
            database=self.database,
            clock=self.clock,
            on_change=self.plugins.token_changed,
            quota=self.settings.token_quota,
            binding=self.binding,
        )

    @cached_property
    def user_tokens(self) -> UserTokens:
        """Tokens of the host's users, and their cleanup."""
        from entitlements_core.services.user_tokens import (  # noqa: PLC0415 - see the module
            UserTokens,
        )

        return UserTokens(
            database=self.database,
            sealer=self.keyring,
            clock=self.clock,
            user_may_read=self.plugins.user_permission,
            on_change=self.plugins.token_changed,
            seal_secrets=self.settings.seal_secrets,
            binding=self.binding,
        )

    @cached_property
    def binding(self) -> HostBinding:
        """What grants are bound to."""
        return HostBinding(self.plugins)

    @cached_property
    def regranting(self) -> Regranting:
        """Grants made anew, for repositories that were."""
        from entitlements_core.services.grant_bindings import Regranting  # noqa: PLC0415 - see above

        return Regranting(
            database=self.database,
            clock=self.clock,
            binding=self.binding,
            on_change=self.plugins.token_changed,
        )

    @cached_property
    def eulas(self) -> EulaService:
        """Licence texts and their acceptance."""
        from entitlements_core.services.eulas import EulaService  # noqa: PLC0415 - see the module

        return EulaService(
            database=self.database, clock=self.clock, on_change=self.plugins.token_changed
        )

    @cached_property
    def package_tags(self) -> PackageTags:
        """The vendor's tags on packages."""
        from entitlements_core.services.package_tags import (  # noqa: PLC0415 - see the module
            PackageTags,
        )

        return PackageTags(database=self.database, clock=self.clock)

    @cached_property
    def reserved_names(self) -> ReservedNames:
        """Names that are the vendor's without a file."""
        from entitlements_core.services.reserved_names import (  # noqa: PLC0415 - see the module
            ReservedNames,
        )

        return ReservedNames(database=self.database, clock=self.clock)

    def uploads_of(self, repository: str, *, records: bool) -> RecordedUploads:
        """The upload times of the files of a repository.

        Args:
            repository: ``owner/slug``.
            records: record the time of what was never seen before.
        """
        return RecordedUploads(
            repository=repository,
            register=self.upload_register,
            clock=self.clock,
            records=records,
        )

    @cached_property
    def upload_register(self) -> UploadRegister:
        """Upload times that servers record."""
        # Asked by the threads of catalogs, which have time: a large repository has many files.
        return UploadRegister(
            replace(self.database_url, timeouts=self.settings.timeouts.for_work()),
            key_fingerprint=self.keyring.fingerprint,
        )

    @cached_property
    def upload_times(self) -> UploadService:
        """Upload times that are set by hand."""
        return UploadService(database=self.database, clock=self.clock)

    @cached_property
    def reports(self) -> Reports:
        """Usage, clients and audit."""
        from entitlements_core.services.reports import Reports  # noqa: PLC0415 - see the module

        return Reports(database=self.database)

    @cached_property
    def rollups(self) -> Rollups:
        """What reports are quick with."""
        from entitlements_core.services.rollups import Rollups  # noqa: PLC0415 - see the module

        return Rollups(database=self.database, clock=self.clock)

    @cached_property
    def retention(self) -> Retention:
        """Downloads of long ago."""
        from entitlements_core.services.retention import Retention  # noqa: PLC0415 - see the module

        return Retention(database=self.database, clock=self.clock, window=self.settings.window)

    @cached_property
    def clock_repair(self) -> ClockRepair:
        """What a clock that was ahead has left."""
        from entitlements_core.services.clock_repair import ClockRepair  # noqa: PLC0415 - see above

        return ClockRepair(database=self.database, clock=self.clock)

    def close(self) -> None:
        """Let go of the store's connections."""
        for name in ("reader", "gate", "upload_register"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        if "database" in self.__dict__:
            self.database.close()

    @cached_property
    def _parse(self) -> partial[PackageQuery]:
        return partial(PackageQuery.parse, extra_fields=tuple(self.plugins.query_fields()))

    def _require_store(self) -> None:
        if self.reader.key_fingerprint() != self.keyring.fingerprint:
            raise KeyFileError("The store was made with another key.", "Restore the key file.")

    def _bind(self, identifier: str, repository: str, mark: str) -> str | None:
        return self.regranting.bind(identifier, repository, mark, actor="host")

    def _ledger_driver(self) -> LedgerDriver:
        if not self.database_url.is_sqlite:
            from entitlements_core.store.ledger_postgres import (  # noqa: PLC0415 - an optional extra
                PostgresLedger,
            )

            return PostgresLedger(self.database_url)
        synchronous = "FULL" if self.settings.durability == "power" else "NORMAL"
        return SqliteLedger(
            self.database_url, synchronous=synchronous, key_fingerprint=self.keyring.fingerprint
        )

    def _revision(self) -> str | None:
        if self.database_url.is_sqlite and not self.database_url.path.exists():
            return None
        return stored_revision(self.database_url)
