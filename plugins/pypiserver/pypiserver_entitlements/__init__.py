"""Entitlement tokens for pypiserver: customers read what their token covers, publishers publish.

``pypi-server-entitled run …`` takes the place of ``pypi-server run …``; `app` that of
``pypiserver.app`` under gunicorn, uWSGI and mod_wsgi. All is imported when it is first used, so
that a missing pypiserver can be told in words.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pypiserver_entitlements.configuration import Options
    from pypiserver_entitlements.startup import protect

__all__ = ["Options", "app", "paste_app", "protect"]

_HOMES: Final = {"Options": "configuration", "protect": "startup"}


def app(**options: Any) -> Any:  # noqa: ANN401 - as pypiserver's
    """A protected pypiserver as a WSGI application; see `factories.app`.

    A function of this module's own, since uWSGI looks for it in the module's dictionary.
    """
    _require()
    return import_module(f"{__name__}.factories").app(**options)


def paste_app(global_config: "Mapping[str, str]", **local: str) -> Any:  # noqa: ANN401 - see above
    """The same for a paste configuration; see `factories.paste_app`."""
    _require()
    return import_module(f"{__name__}.factories").paste_app(global_config, **local)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "Options":
        _require()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def _require() -> None:
    from pypiserver_entitlements.requirement import require  # noqa: PLC0415 - see above

    require()
