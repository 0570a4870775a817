"""A pytest plugin for devpi-server's own tests: their servers have our plugin, or have it not.

Loaded with ``-p devpi_suite`` in a process of its own. SUITE_PLUGIN in the environment says which:
``absent``, or ``present``; ENTITLEMENTS_HOME configures one that is present.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib import metadata
from typing import Any, Final

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from devpi_server import auth as devpi_auth
    from devpi_server import config as devpi_config

NAME: Final = "entitlements"
"""Of our entry point."""
IS_PRESENT: Final = os.environ["SUITE_PLUGIN"] == "present"
IS_CONFIGURED: Final = "ENTITLEMENTS_HOME" in os.environ

APPLICATION: Final = "maketestapp"
"""The fixture of devpi's through which every application is made."""
WITHOUT_FIXTURES: Final = frozenset({"test_main", "test_config", "test_genconfig"})
"""Modules whose tests start commands by themselves."""

_opened: Final[list[Any]] = []
_bare: Final[Callable[..., Any]] = devpi_config.get_pluginmanager


def _with_ours(*, load_entrypoints: bool = True) -> Any:  # noqa: ANN401 - pluggy's
    """The plugin manager as it is in an environment with our plugin, or without it."""
    from devpi_entitlements import plugin as ours

    manager = _bare(load_entrypoints=load_entrypoints)
    if IS_PRESENT and not manager.has_plugin(NAME):
        manager.register(ours, name=NAME)
    elif manager.has_plugin(NAME) and not IS_PRESENT:
        manager.unregister(name=NAME)
    return manager


devpi_config.get_pluginmanager = _with_ours  # before anybody takes it from there
# Passwords made hard to guess are half of what the tests take, and no part of what they test.
devpi_auth.pwd_context.update(argon2__time_cost=1, argon2__memory_cost=8, argon2__parallelism=1)


_installed: Final = list(metadata.distributions())
_points: Final[Callable[[Any], Any]] = metadata.Distribution.entry_points.fget  # type: ignore[attr-defined] # a property
# Each application looks at all that is installed, twice; it does not change meanwhile.
metadata.distributions = lambda **_: iter(_installed)
metadata.Distribution.entry_points = property(cache(_points))  # type: ignore[assignment, method-assign] # see above


def pytest_configure() -> None:
    if not IS_CONFIGURED:
        return
    from entitlements_core.services.core import Core

    opened = Core.open

    def noted(*arguments: Any, **options: Any) -> Core:  # noqa: ANN401 - as those of Core.open
        core = opened(*arguments, **options)
        _opened.append(core)
        return core

    Core.open = noted  # type: ignore[method-assign] # on purpose


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that cannot meet our plugin: those of the database and the like."""
    kept = [item for item in items if _meets(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _meets(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return APPLICATION in fixtures or item.path.stem in WITHOUT_FIXTURES


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close the services of a test's servers when it is over."""
    yield
    while _opened:
        _opened.pop().close()
