"""Whether the pypiserver that is installed is one that this adapter knows."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from packaging.specifiers import SpecifierSet

from entitlements_core.errors import ConfigurationError

__all__ = ["require"]

SUPPORTED: Final = SpecifierSet(">=2.4,<3", prereleases=True)
"""Before 2.4 bottle was imported from another place; 3.0 is announced to change more."""


def require() -> str:
    """The version of pypiserver.

    Raises:
        ConfigurationError: when it is not installed, or not one of `SUPPORTED`.
    """
    try:
        found = version("pypiserver")
    except PackageNotFoundError:
        raise ConfigurationError(
            "pypiserver is not installed.", "Run: pip install 'index-entitlements[pypiserver]'"
        ) from None
    if found not in SUPPORTED:
        raise ConfigurationError(
            f"pypiserver {found} is installed, and {SUPPORTED} is needed.",
            "Run: pip install 'index-entitlements[pypiserver]'",
        )
    return found
