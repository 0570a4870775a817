"""What is open while an app runs: the store, the catalogs, and what asks them."""

from __future__ import annotations

import logging
from typing import Final

from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.downloads import Offload, Sender
from entitlements_core.engine.index import Index
from entitlements_core.engine.serving import open_index, require_repository
from entitlements_core.plugins import Plugins
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.services.core import Core
from entitlements_core.services.offload_locations import require_locations
from entitlements_core.services.redaction import protect_logs
from flask_static_entitlements.authorization import RepositoryGate
from flask_static_entitlements.configuration import Configuration
from flask_static_entitlements.guard import Guard
from flask_static_entitlements.host import HostHooks
from flask_static_entitlements.linked_pages import linked_pages
from flask_static_entitlements.routes import Mount

__all__ = ["OpenSite"]

FLASK: Final = Actor("flask", ActorKind.SERVICE)

log: Final = logging.getLogger("entitlements.flask")


class OpenSite:
    """The services, and what is made of them for each repository.

    Args:
        configuration: what to serve and guard.
        host: the name and version of the framework.
        sender: how files are sent; None is what the settings say.

    Raises:
        EntitlementsError: when the key, the store or a repository cannot be used.
    """

    def __init__(self, configuration: Configuration, host: str, sender: Sender | None) -> None:
        protect_logs()
        hooks = HostHooks(host)
        self._settings = configuration.settings
        self.core = Core.open(
            self._settings,
            create=True,
            empty=configuration.create_repositories,
            plugins=Plugins([hooks, *configuration.plugins]),
        )
        self.indexes: dict[str, Index] = {}
        try:
            for mount in configuration.mounts:
                require_repository(
                    self.core,
                    mount.repository,
                    f"Add it with `flask entitlements repo add {mount.repository}`"
                    f" or `entitlements repo add {mount.repository}`, or set create_repositories.",
                    creator=FLASK if configuration.create_repositories else None,
                )
                self.indexes[mount.repository] = self._index(mount, sender)
        except BaseException:
            self.close()
            raise
        hooks.indexes = self.indexes
        self._wire(configuration.mounts)

    def close(self) -> None:
        """Let go of all of it."""
        for index in self.indexes.values():
            index.catalog.close()
        self.core.close()

    def _index(self, mount: Mount, sender: Sender | None) -> Index:
        if mount.accel_redirect:
            named = f"accel_redirect of {mount.repository}"
            require_locations(mount.accel_redirect, mount.directories, named)
            sender = Offload("X-Accel-Redirect", mount.accel_redirect)
        return open_index(
            self.core,
            mount.repository,
            mount.directories,
            sender=sender,
            pages=linked_pages(mount) if mount.protect else None,
            upstream="" if mount.protect else mount.upstream,
        )

    def _wire(self, mounts: tuple[Mount, ...]) -> None:
        core = self.core
        self.gates = {
            name: RepositoryGate(index, core.gate) for name, index in self.indexes.items()
        }
        self.guards = {
            mount.repository: Guard(mount, self.gates[mount.repository])
            for mount in mounts
            if mount.protect
        }
        prefixes = {
            prefix: self.indexes[mount.repository]
            for mount in mounts
            for prefix in mount.protect or (mount.prefix,)
        }
        self.app = IndexApp(prefixes, locate=core.addresses.of, ailment=core.readiness.ailment)
