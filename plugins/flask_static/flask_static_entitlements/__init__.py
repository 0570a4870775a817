"""Entitlement tokens for Flask: a served index, or a guard for your own views.

Each name is imported when it is first used: the plain WSGI and ASGI wrappers do without Flask.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flask_static_entitlements.asgi import EntitlementsASGI
    from flask_static_entitlements.configuration import Options, RepositoryOptions
    from flask_static_entitlements.constants import ConfigVars
    from flask_static_entitlements.extension import Entitlements
    from flask_static_entitlements.signals import (
        distribution_downloaded,
        entitlement_allowed,
        entitlement_refused,
    )
    from flask_static_entitlements.testing import EntitlementsClient
    from flask_static_entitlements.views import current_entitlement
    from flask_static_entitlements.wsgi import EntitlementsMiddleware

__all__ = [
    "ConfigVars",
    "Entitlements",
    "EntitlementsASGI",
    "EntitlementsClient",
    "EntitlementsMiddleware",
    "Options",
    "RepositoryOptions",
    "current_entitlement",
    "distribution_downloaded",
    "entitlement_allowed",
    "entitlement_refused",
]

_HOMES: Final = {
    "ConfigVars": "constants",
    "Entitlements": "extension",
    "EntitlementsASGI": "asgi",
    "EntitlementsClient": "testing",
    "EntitlementsMiddleware": "wsgi",
    "Options": "configuration",
    "RepositoryOptions": "configuration",
    "current_entitlement": "views",
    "distribution_downloaded": "signals",
    "entitlement_allowed": "signals",
    "entitlement_refused": "signals",
}

_EXTRA: Final = frozenset({"asgiref", "blinker", "click", "flask", "werkzeug"})
"""What comes with Flask."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        # Still an ImportError, for whoever goes on without.
        raise ModuleNotFoundError(
            f"{name} needs Flask, which is not installed."
            " Run: pip install 'index-entitlements[flask]'",
            name=error.name,
        ) from None
