"""The WSGI servers that `serve` can run."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entitlements_core.cli.serve.granian import run_granian
from entitlements_core.cli.serve.listener import ServeOptions
from entitlements_core.cli.serve.waitress import run_waitress
from entitlements_core.errors import ConfigurationError

if TYPE_CHECKING:
    from entitlements_core.services.settings import Settings

__all__ = ["RUN", "require"]

_INSTALL: Final = {
    "granian": "install 'index-entitlements[serve]'",
    "waitress": "install waitress",
}
"""What pip is told, by the name of the server."""
RUN: Final[Mapping[str, Callable[[ServeOptions, "Settings"], None]]] = {
    "granian": run_granian,
    "waitress": run_waitress,
}
"""By name: serves until a signal ends it."""


def require(server: str) -> None:
    """Return when the server is installed.

    Raises:
        ConfigurationError: with the command that installs it.
    """
    if importlib.util.find_spec(server) is None:
        pip = Path(sys.executable).with_name("pip")
        raise ConfigurationError(f"{server} is not installed.", f"Run: {pip} {_INSTALL[server]}")
