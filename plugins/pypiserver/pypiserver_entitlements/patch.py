"""The one function of pypiserver that is patched: ``pypiserver.setup_routes_from_config``.

Its command, its `app` and its paste factory all end there, with the application made and no request
answered yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from types import ModuleType
from typing import Any, Final

from entitlements_core.engine.loading_errors import end_process
from entitlements_core.errors import ConfigurationError, EntitlementsError
from pypiserver_entitlements.configuration import Options
from pypiserver_entitlements.requirement import require

__all__ = ["PATCHED", "building", "is_patched", "patch_pypiserver"]

PATCHED: Final = "setup_routes_from_config"
MARK: Final = "__entitled__"

_options: Final[ContextVar[Options | None]] = ContextVar("entitlements_options", default=None)


def patch_pypiserver(pypiserver: ModuleType) -> None:
    """Protect every application that this module makes from now on.

    Raises:
        ConfigurationError: when it is another version than we know, or has no such function.
    """
    found = require()
    original = getattr(pypiserver, PATCHED, None)
    if not callable(original):
        raise ConfigurationError(
            f"pypiserver {found} has no function {PATCHED}.",
            "Install another version of pypiserver.",
        )
    if is_patched(pypiserver):
        return

    @wraps(original)
    def protected(app: Any, config: Any) -> Any:  # noqa: ANN401 - pypiserver has no types
        from pypiserver_entitlements.startup import protect  # noqa: PLC0415 - imports pypiserver

        given = _options.get()
        try:
            return protect(original(app, config), config, given or Options.load())
        except EntitlementsError as error:
            if given is not None:
                raise
            # Whoever called pypiserver itself knows nothing of our errors, and must not go on.
            end_process(error)

    setattr(protected, MARK, True)
    setattr(pypiserver, PATCHED, protected)


def is_patched(pypiserver: ModuleType) -> bool:
    """Whether the applications of this module are protected."""
    return getattr(getattr(pypiserver, PATCHED, None), MARK, False) is True


@contextmanager
def building(options: Options | None) -> Iterator[ModuleType]:
    """The module, whose applications get these options for the length of the block.

    Args:
        options: ours; None leaves them to the environment.

    Raises:
        ConfigurationError: see `patch_pypiserver`.
    """
    require()
    import pypiserver  # noqa: PLC0415 - it may be missing

    patch_pypiserver(pypiserver)
    token = _options.set(options)
    try:
        yield pypiserver
    finally:
        _options.reset(token)
