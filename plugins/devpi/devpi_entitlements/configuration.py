"""What an administrator sets: options of devpi-server, or the environment."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from devpi_entitlements.devpi_types import Config, OptionParser

if TYPE_CHECKING:  # every devpi-server loads this module; only a configured one needs the core
    from entitlements_core.services.settings import Settings

__all__ = [
    "LOCKDOWN",
    "Configuration",
    "add_options",
    "is_locked_down",
    "read_configuration",
    "storage_of",
]

LOCKDOWN: Final = "devpi-lockdown"
"""The plugin that asks everybody for a login, by its name as an entry point."""

SWITCHES: Final = ("ENTITLEMENTS_HOME", "ENTITLEMENTS_DATABASE_URL")
"""Either of these in the environment configures the adapter as ``--entitlements-home`` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The options of the adapter.

    Attributes:
        home: the directory of the key and the store; None is what the environment says.
        accel_redirect: nginx's internal location of devpi's server directory, or empty: then
            devpi-server sends the files itself.
        lockdown: nothing but logging in is open to those who are neither users nor token holders.
    """

    home: Path | None
    accel_redirect: str
    lockdown: bool

    def settings(self) -> Settings:
        """The settings of the core.

        Raises:
            ConfigurationError: naming each setting that cannot be used.
        """
        from entitlements_core.services.settings import Settings  # noqa: PLC0415 - see above

        return Settings.load(home=self.home)


def add_options(parser: OptionParser) -> None:
    """Add our options to the parser of devpi-server; they work in its YAML file, too."""
    group = parser.addgroup("entitlement options (index-entitlements)")
    group.addoption(
        "--entitlements-home",
        metavar="DIR",
        default=None,
        help="directory of the entitlement tokens' key and store. Entitlements are off without it"
        " and without ENTITLEMENTS_HOME or ENTITLEMENTS_DATABASE_URL in the environment.",
    )
    group.addoption(
        "--entitlements-accel-redirect",
        metavar="LOCATION",
        default="",
        help="let nginx send the files: its internal location of the server directory,"
        " such as /+protected (see devpi-gen-config).",
    )
    group.addoption(
        "--entitlements-lockdown",
        action="store_true",
        help="close everything but the login to those without a login or a token,"
        " also the lists of users and indexes.",
    )


def is_locked_down(config: Config) -> bool:
    """Whether nothing is open to strangers: by our option, or by devpi-lockdown in front."""
    ours = bool(getattr(config.args, "entitlements_lockdown", False))
    return ours or bool(config.pluginmanager.has_plugin(LOCKDOWN))


def storage_of(args: Namespace) -> str:
    """The storage of a devpi-server, as ``--storage`` takes it."""
    storage = getattr(args, "storage", None)
    return storage if isinstance(storage, str) else "sqlite"


def read_configuration(args: Namespace) -> Configuration | None:
    """The configuration of a devpi-server, or None where entitlements are off.

    The other commands of devpi do not know our options, so each may be missing from `args`.
    """
    home = getattr(args, "entitlements_home", None)
    if not home and not any(os.environ.get(name) for name in SWITCHES):
        return None
    return Configuration(
        home=Path(home) if home else None,
        accel_redirect=(getattr(args, "entitlements_accel_redirect", "") or "").rstrip("/"),
        lockdown=bool(getattr(args, "entitlements_lockdown", False)),
    )
