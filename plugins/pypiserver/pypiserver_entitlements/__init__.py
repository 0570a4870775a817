"""Entitlement tokens for pypiserver: customers read what their token covers, publishers publish.

``pypi-server-entitled run …`` takes the place of ``pypi-server run …``; `app` that of
``pypiserver.app`` under gunicorn, uWSGI and mod_wsgi. Each name is imported when it is first used,
so that a missing pypiserver can be told in words.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pypiserver_entitlements.factories import app, paste_app
    from pypiserver_entitlements.options import Options
    from pypiserver_entitlements.protection import protect

__all__ = ["Options", "app", "paste_app", "protect"]

_HOMES: Final = {
    "Options": "options",
    "app": "factories",
    "paste_app": "factories",
    "protect": "protection",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "Options":
        from pypiserver_entitlements.requirement import require  # noqa: PLC0415 - see above

        require()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
