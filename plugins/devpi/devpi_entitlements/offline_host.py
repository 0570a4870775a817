"""devpi's answers to the core's hooks in commands: the server itself runs elsewhere, or not at all.

Registered with the core in every environment where the package is installed, also where there is
no devpi-server. It therefore loads devpi only when it is asked something, in a home that a
devpi-server has used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from devpi_entitlements.server_info import ServerInfo, read_note
from entitlements_core import hookimpl
from entitlements_core.errors import ConfigurationError
from entitlements_core.policy.bases import Base
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.health import Finding

if TYPE_CHECKING:  # it needs devpi-server
    from devpi_entitlements.host import HostHooks

__all__ = ["HOST", "OfflineHost"]

log: Final = logging.getLogger("entitlements.devpi")


class OfflineHost:
    """Reads the database of the devpi-server that left its note in the home of the store."""

    requires = ("devpi_server",)
    """Without it there is no server to read, and the doctor does not speak of this plugin."""

    def __init__(self) -> None:
        self._note: ServerInfo | None = None
        self._is_mute = False

    def mute(self) -> None:
        """Say nothing from now on: the server itself runs in this process, and answers."""
        self._is_mute = True

    @hookimpl
    def entitlements_opened(self, home: Path) -> None:
        """See the hook."""
        note = read_note(home)
        if note != self._note:
            self.__dict__.pop("_host", None)
        self._note = note

    @hookimpl
    def entitlements_host(self) -> str | None:
        """See the hook."""
        return None if self._host is None else self._host.entitlements_host()

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        """See the hook."""
        return () if self._host is None else self._host.entitlements_repositories()

    @hookimpl
    def entitlements_files(
        self, repository: str, project: str | None, bases: frozenset[str] | None
    ) -> Iterable[FileFacts] | None:
        """See the hook."""
        host = self._host
        return None if host is None else host.entitlements_files(repository, project, bases)

    @hookimpl
    def entitlements_mark(self, repository: str, user: str) -> str | None:
        """See the hook."""
        return None if self._host is None else self._host.entitlements_mark(repository, user)

    @hookimpl
    def entitlements_bases(self, repository: str, user: str) -> Iterable[Base] | None:
        """See the hook."""
        return None if self._host is None else self._host.entitlements_bases(repository, user)

    @hookimpl
    def entitlements_mirrors(self, repository: str, project: str | None) -> Iterable[str] | None:
        """See the hook."""
        return None if self._host is None else self._host.entitlements_mirrors(repository, project)

    @hookimpl
    def entitlements_user_may_read(self, user: str, repository: str) -> bool | None:
        """See the hook."""
        host = self._host
        return None if host is None else host.entitlements_user_may_read(user, repository)

    @hookimpl
    def entitlements_user_is_admin(self, user: str, repository: str) -> bool | None:
        """See the hook."""
        host = self._host
        return None if host is None else host.entitlements_user_is_admin(user, repository)

    @hookimpl
    def entitlements_commands(self, app: typer.Typer) -> None:
        """See the hook: those that need devpi-server; where it is not installed, a hidden one."""
        if find_spec("devpi_server") is None:
            anything = {"ignore_unknown_options": True, "allow_extra_args": True}
            app.command("devpi", hidden=True, context_settings=anything, add_help_option=False)(
                _not_installed
            )
            return
        from devpi_entitlements.commands import app as ours  # noqa: PLC0415 - see the module

        app.add_typer(ours, name="devpi")

    @hookimpl
    def entitlements_checks(self, home: Path) -> Iterable[Finding]:
        """See the hook."""
        self.entitlements_opened(home)
        if self._note is None or self._is_mute:
            return ()
        from devpi_entitlements.checks import look_over  # noqa: PLC0415 - see the module

        return look_over(self._note, self._host)

    @cached_property
    def _host(self) -> HostHooks | None:
        if self._note is None or self._is_mute:
            return None
        try:
            from devpi_entitlements.host import HostHooks  # noqa: PLC0415 - see the module

            return HostHooks(_read_server(self._note), lockdown=self._note.lockdown)
        except Exception as error:  # noqa: BLE001 - whatever devpi raises, and its exit
            log.warning("the devpi-server in %s cannot be read: %s", self._note.serverdir, error)
            return None


def _not_installed() -> None:
    """What concerns a devpi-server."""
    raise ConfigurationError(
        "devpi-server is not installed here.",
        "Run the command in the environment of devpi-server, or: pip install"
        " 'index-entitlements[devpi]'",
    )


def _read_server(note: ServerInfo) -> Any:  # noqa: ANN401 - of devpi-server
    """The composition root of devpi over an existing server directory; nothing of it is started."""
    from devpi_server.config import get_pluginmanager, parseoptions  # noqa: PLC0415 - see the module
    from devpi_server.main import XOM  # noqa: PLC0415 - see the module

    from devpi_entitlements.acl import AclHooks  # noqa: PLC0415 - see the module

    plugins = get_pluginmanager()
    plugins.register(AclHooks(), name="entitlements-acl")
    arguments = ["devpi-server", "--serverdir", note.serverdir, "--storage", note.storage]
    # Mirrors show what they fetched so far: the threads that would ask upstream do not run.
    config = parseoptions(plugins, [*arguments, "--offline-mode"])
    if not config.nodeinfo_path.exists():
        raise FileNotFoundError(f"there is no {config.nodeinfo_path}")
    config._determine_storage()  # noqa: SLF001 - `init_nodeinfo` would write into the directory
    return XOM(config)


HOST: Final = OfflineHost()
"""The plugin of the entry-point group ``index_entitlements``."""
