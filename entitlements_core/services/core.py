"""The composition root: settings in, services out. The only place that puts stores into services.

What a server of files and pages needs is made here; the rest is in `administration`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from typing import Final

from entitlements_core.errors import KeyFileError
from entitlements_core.interfaces import Clock
from entitlements_core.plugins import Plugins
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.services import clock
from entitlements_core.services.administration import Administration
from entitlements_core.services.client_addresses import ClientAddresses
from entitlements_core.services.gate import Gate, MarkOf
from entitlements_core.services.home_access import require_access
from entitlements_core.services.initialization import create_store
from entitlements_core.services.readiness import Readiness
from entitlements_core.services.recorded_uploads import RecordedUploads
from entitlements_core.services.settings import Settings
from entitlements_core.services.throttle import Throttle
from entitlements_core.store.ledger import Ledger, LedgerDriver
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.schema_revisions import require_current, stored_revision
from entitlements_core.store.upload_register import UploadRegister

__all__ = ["Core"]

_HOST: Final = Actor("host", ActorKind.SERVICE)
log: Final = logging.getLogger("entitlements.home")


class Core(Administration):
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
        super().__init__(settings, Plugins() if plugins is None else plugins, clock)
        self._mark_of = mark_of

    @classmethod
    def open(  # noqa: PLR0913 - hosts differ in one or the other
        cls,
        settings: Settings,
        *,
        create: bool = False,
        empty: bool = True,
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
            empty: a new store is of use, since the caller adds what it serves; else none is made,
                as a name that was mistyped would leave one behind.
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
            if not empty:
                require_access(settings, serves=True)
            is_wanted = empty or stored_revision(core.database_url) is not None
            if is_wanted and "database" in create_store(settings, core.database_url):
                log.warning("a new store was made: %s, with no token in it", core.database_url)
        require_current(core.database_url)
        if core.reader.key_fingerprint() != core.keyring.fingerprint:
            core.database.bind_key(core.keyring.fingerprint)
        return core

    @cached_property
    def gate(self) -> Gate:
        """Decides on requests and counts downloads."""
        settings = self.settings
        return self._to_close(
            Gate(
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
        )

    @cached_property
    def addresses(self) -> ClientAddresses:
        """Reads where requests come from."""
        settings = self.settings
        return ClientAddresses(settings.proxies, home=settings.home, clock=self.clock)

    @cached_property
    def reader(self) -> CredentialReader:
        """Finds credentials."""
        return self._to_close(
            CredentialReader(
                self.database_url,
                parse=self.parse_query,
                eula_url=self.settings.eula_url,
                key_fingerprint=self.keyring.fingerprint,
            )
        )

    @cached_property
    def readiness(self) -> Readiness:
        """Whether the store answers."""
        return Readiness(self._require_store)

    @cached_property
    def upload_register(self) -> UploadRegister:
        """Upload times that servers record."""
        # Asked by the threads of catalogs, which have time: a large repository has many files.
        url = replace(self.database_url, timeouts=self.settings.timeouts.for_work())
        return self._to_close(UploadRegister(url, key_fingerprint=self.keyring.fingerprint))

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

    def _require_store(self) -> None:
        if self.reader.key_fingerprint() != self.keyring.fingerprint:
            raise KeyFileError("The store was made with another key.", "Restore the key file.")

    def _bind(self, identifier: str, repository: str, mark: str) -> str | None:
        return self.grants.bind(identifier, repository, mark, actor=_HOST)

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
