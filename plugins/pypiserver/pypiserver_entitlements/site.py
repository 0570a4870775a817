"""The store, the catalog and the engine of one pypiserver."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.index import Index
from entitlements_core.engine.progress import build, note_problems
from entitlements_core.engine.serving import open_index, require_repository
from entitlements_core.engine.source import Source
from entitlements_core.errors import ConfigurationError, EntitlementsError, InvalidValue
from entitlements_core.plugins import Plugins
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.policy.project_names import is_name, names_in
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.core import Core
from pypiserver_entitlements import pypiserver_api
from pypiserver_entitlements.backend_source import ROOT, BackendSource
from pypiserver_entitlements.configuration import Options
from pypiserver_entitlements.host import HostHooks
from pypiserver_entitlements.requirement import require

__all__ = ["Site"]

PYPISERVER: Final = Actor("pypiserver", ActorKind.SERVICE)

log: Final = logging.getLogger("entitlements.pypiserver")


class Site:
    """What is open while a pypiserver runs.

    Args:
        config: of pypiserver; its backend and password check are still its own.
        options: ours.
        logins: somebody checks the passwords of publishers.

    Raises:
        EntitlementsError: when the key, the store, the repository or a directory cannot be used.
    """

    def __init__(
        self, config: pypiserver_api.RunConfig, options: Options, *, logins: bool = False
    ) -> None:
        passwords = pypiserver_api.password_file(config)
        users = partial(pypiserver_api.users_in, passwords) if passwords else lambda: None
        hooks = HostHooks(f"pypiserver {require()}", users)
        settings = options.settings
        self.core = Core.open(
            settings,
            create=True,
            empty=options.create,
            plugins=Plugins([hooks, *options.plugins]),
        )
        try:
            require_repository(
                self.core,
                settings.repository,
                f"Add it with `entitlements repo add {settings.repository}`,"
                " or give --entitlements-create.",
                creator=PYPISERVER if options.create else None,
            )
            self.index = self._open(config, options)
        except BaseException:
            self.core.close()
            raise
        hooks.index = self.index
        self.engine = IndexApp(
            {"": self.index},
            locate=self.core.addresses.of,
            ailment=self.core.readiness.ailment,
            knows_logins=logins,
        )

    def close(self) -> None:
        """Let go of the store and the catalog."""
        self.index.catalog.close()
        self.core.close()

    def _open(self, config: pypiserver_api.RunConfig, options: Options) -> Index:
        source, directories = _source(config, options)
        return open_index(
            self.core,
            options.settings.repository,
            directories,
            source=source,
            build=_build if options.foreground else None,
            upstream=options.settings.upstream or _fallback(config),
        )

    def note(self, filename: str) -> None:
        """Make the project of a file that is about to be uploaded the vendor's.

        Before it is there, so that nobody is sent elsewhere for it from the answer on. Where that
        cannot be written, the catalog does it as soon as it can.
        """
        uploads = self.core.uploads_of(self.index.repository, records=True)
        try:
            uploads.keep_names(names_in(filename))
        except EntitlementsError as error:
            log.warning("the name of an upload is not recorded yet: %s", error)

    def keeps(self, name: str) -> bool:
        """Whether a project is the vendor's, so that nobody is sent elsewhere for it."""
        project = canonicalize_name(name)
        repository = self.index.repository
        return (
            not is_name(project)
            or self.index.catalog.has_name(project)
            or self.core.gate.own_name(project, repository) is not None
        )


def _source(config: pypiserver_api.RunConfig, options: Options) -> tuple[Source | None, list[Path]]:
    """Where the files are: in the package directories, or wherever a vendor's backend says."""
    if pypiserver_api.file_backend(config.backend):
        return None, pypiserver_api.roots_of(config)
    if options.settings.accel_redirect or options.settings.sendfile:
        raise ConfigurationError(
            "The files of your own backend cannot be left to the server in front.",
            "Unset ENTITLEMENTS_ACCEL_REDIRECT and ENTITLEMENTS_SENDFILE.",
        )
    return BackendSource(config.backend), [Path(ROOT)]


def _fallback(config: pypiserver_api.RunConfig) -> str:
    """The fallback that was chosen, if customers can be sent there."""
    address = pypiserver_api.fallback_given(config)
    if not address:
        return ""
    try:
        return Upstream.parse(address).url
    except InvalidValue as error:
        log.warning("customers are not sent to --fallback-url: %s", error)
        return ""


def _build(catalog: Catalog) -> None:
    note_problems(build(catalog))
