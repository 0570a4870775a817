"""devpi's fixtures work below this folder, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from devpi_server.config import hookimpl

from entitlements_core.services.core import Core
from tests.plugins.devpi.apps import DevpiApp, wheel_name

pytestmark = pytest.mark.notransaction


@hookimpl
def devpiserver_get_features() -> set[str]:
    return {"from-a-test"}


MakeBare = Callable[..., DevpiApp]


@pytest.fixture
def make_bare(
    core: Core,
    makexom: Callable[..., Any],
    maketestapp: Callable[..., Any],
    makemapp: Callable[..., Any],
) -> MakeBare:
    """A factory of devpi-servers without our plugin."""

    def make(plugins: list[Any]) -> DevpiApp:
        testapp = maketestapp(makexom(["--enable-core-metadata"], plugins=plugins))
        return DevpiApp(xom=testapp.xom, testapp=testapp, mapp=makemapp(testapp), core=core)

    return make


def test_a_server_with_a_plugin_serves_what_was_uploaded(make_bare: MakeBare) -> None:
    app = make_bare([SimpleNamespace(devpiserver_get_features=devpiserver_get_features)])
    app.index("acme/prod", bases=[])
    path = app.upload("acme/prod", "lab-foo", "1.0")

    assert "from-a-test" in app.get("/+api").json["result"]["features"]
    assert app.projects("acme/prod") == ["lab-foo"]
    assert app.files("acme/prod", "lab-foo") == [wheel_name("lab-foo", "1.0")]
    assert app.get(path).status_code == 200


def test_the_plugins_of_a_full_installation_can_be_there(
    make_bare: MakeBare, other_plugins: list[ModuleType]
) -> None:
    app = make_bare(other_plugins)
    app.index("acme/prod", bases=[])
    app.configure("acme/prod", title="Everything", mirror_whitelist=["a", "b"])
    path = app.upload_sdist("acme/prod", "lab-foo", "1.0")
    app.login("acme")

    found = app.get("/acme/prod", Accept="application/json").json["result"]
    assert (found["title"], found["mirror_whitelist"]) == ("Everything", ["a", "b"])
    assert app.get("/acme/prod").status_code == 200
    assert app.get(path).status_code == 200
