"""devpi-server's own fixtures and an entitled devpi application, for the tests in this folder.

devpi's fixtures are a pytest plugin, and some of them act on every test of a run. They are
imported by name instead, so that they reach no other folder.
"""

# ruff: noqa: F401 - pytest finds fixtures by their names, and asks for them by argument
from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

import pytest

with warnings.catch_warnings():
    # What devpi, Pyramid, WebOb and passlib import is deprecated in the standard library.
    warnings.simplefilter("ignore")
    import devpi_server.auth
    import devpi_server.views
    from test_devpi_server.plugin import (
        _clear,
        _default_hash_type,
        auto_transact,
        blank_request,
        devpiserver_makepypistage,
        file_digest,
        gen,
        gen_path,
        http,
        httpget,
        keyfs,
        lower_argon2_parameters,
        makemapp,
        maketestapp,
        makexom,
        mapp,
        model,
        pypistage,
        pypiurls,
        replica_xom,
        secretfile,
        server_path,
        speed_up_sqlite,
        speed_up_sqlite_fs,
        storage_args,
        storage_info,
        storage_plugin,
        testapp,
        tox_result_data,
        xom,
    )

    from tests.plugins.devpi.apps import DevpiApp

from devpi_entitlements import plugin as devpi_plugin
from devpi_entitlements.host import HostHooks
from entitlements_core.plugins import Plugins
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings

OTHERS: Final = (
    "devpi_constrained.main",
    "devpi_lockdown.main",
    "devpi_tokens.server",
    "devpi_web.main",
    "devpi_web.whoosh_index",
)
"""The plugins of a full installation beside ours."""

# Passwords made hard to guess would be half of what these tests take; devpi's own fixture does this
# for its other secret.
devpi_server.auth.pwd_context.update(
    argon2__time_cost=1, argon2__memory_cost=8, argon2__parallelism=1
)

OTHERS_WARNINGS: Final = (
    "ignore::DeprecationWarning:devpi_server",
    "ignore::DeprecationWarning:passlib",
    "ignore::DeprecationWarning:pyramid",
    "ignore::DeprecationWarning:webob",
    "ignore:open_text is deprecated:DeprecationWarning",  # genconfig reads its templates by it
    "ignore:read_text is deprecated:DeprecationWarning",
)
"""What others warn about, in the form of ``filterwarnings``."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            for warning in OTHERS_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


class MakeDevpiApp(Protocol):
    """Makes an entitled application."""

    def __call__(self, *options: str, plugins: Sequence[object] = ()) -> DevpiApp:
        """Start a server with further options, and plugins beside ours."""


@pytest.fixture(scope="session")
def other_plugins() -> list[ModuleType]:
    """The plugins of a full installation beside ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [importlib.import_module(name) for name in OTHERS]


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    """The services over a new store."""
    settings = Settings.load(home=tmp_path / "home")
    opened = Core.open(settings, create=True, plugins=Plugins(discover=False))
    yield opened
    opened.close()


@pytest.fixture
def make_devpi_app(
    core: Core,
    makexom: Callable[..., Any],
    maketestapp: Callable[..., Any],
    makemapp: Callable[..., Any],
) -> MakeDevpiApp:
    """A factory of entitled devpi-servers over one store, with devpi's mocked mirrors."""

    def make(*options: str, plugins: Sequence[object] = ()) -> DevpiApp:
        home = ("--entitlements-home", str(core.settings.home))
        xom = makexom([*home, *options], plugins=[devpi_plugin, *plugins])
        testapp = maketestapp(xom)
        # As a server has it of every peer.
        testapp.extra_environ = {**testapp.extra_environ, "REMOTE_ADDR": "203.0.113.7"}
        if not core.plugins.implements("entitlements_host"):
            core.plugins.register(HostHooks(xom))  # as commands ask the devpi-server of the home
        return DevpiApp(xom=xom, testapp=testapp, mapp=makemapp(testapp), core=core)

    return make


@pytest.fixture
def devpi(make_devpi_app: MakeDevpiApp) -> DevpiApp:
    """An entitled devpi-server without further plugins."""
    return make_devpi_app("--enable-core-metadata")


@pytest.fixture
def full_devpi(make_devpi_app: MakeDevpiApp, other_plugins: list[ModuleType]) -> DevpiApp:
    """An entitled devpi-server with the plugins of a full installation."""
    return make_devpi_app("--enable-core-metadata", plugins=other_plugins)
