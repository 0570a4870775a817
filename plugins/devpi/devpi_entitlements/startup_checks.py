"""What is done and looked at once, when a configured server starts."""

from __future__ import annotations

import logging
from typing import Final

from devpi_entitlements.nginx import unguarded_configurations
from devpi_entitlements.site import Site
from entitlements_core.policy.actor import Actor, ActorKind

__all__ = ["look_around"]

_SERVER: Final = Actor("devpi-server", ActorKind.SERVICE)
log: Final = logging.getLogger("entitlements.devpi")


def look_around(site: Site) -> None:
    """Add a repository for each index, and warn of what would surprise an administrator."""
    names = site.core.plugins.repositories()
    added = site.core.repositories.ensure(names, actor=_SERVER)
    if added:
        log.info("repositories added for the indexes %s", ", ".join(added))
    if not site.xom.is_replica():  # one may not have heard yet of what its primary has
        bound = site.core.grants.adopt(actor=_SERVER)
        if bound:
            log.info("%d grants were bound to the indexes that have their names now", bound)
    if not getattr(site.xom.config.args, "enable_core_metadata", False):
        log.warning(
            "Start devpi-server with --enable-core-metadata: without it, clients download files"
            " to read their metadata, and each of those downloads counts."
        )
    for path, line in unguarded_configurations(site.xom.config.server_path):
        log.warning(
            "%s:%d lets nginx send files past the entitlements: anybody can read closed indexes."
            " Use the configuration that devpi-gen-config writes: nginx-entitlements.conf.",
            path,
            line,
        )
