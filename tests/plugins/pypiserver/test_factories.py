"""pypiserver as an application of a WSGI server: with keyword arguments, by paste, by hand."""

from __future__ import annotations

from pathlib import Path

import pypiserver
import pytest
from pypiserver.config import Config

import pypiserver_entitlements
from entitlements_core.errors import ConfigurationError, EntitlementsError
from pypiserver_entitlements import Options, paste_app, protect
from pypiserver_entitlements.middleware import PypiserverMiddleware
from pypiserver_entitlements.patch import PATCHED, patch_pypiserver
from pypiserver_entitlements.startup import site_of
from tests.plugins.pypiserver.conftest import REPOSITORY, TOOL, Shop


def test_paste_gives_everything_as_text(home: Path, packages: Path) -> None:
    app = paste_app(
        {},
        root=str(packages),
        entitlements_repo=f" {REPOSITORY} ",
        entitlements_home=str(home),
        entitlements_public="yes",
        entitlements_create="no",
        entitlements_upload_limit="12",
        disable_fallback="true",
    )

    site_of(app).close()
    assert app.wsgi._public
    assert app.wsgi._uploads.limit == 12
    assert app._pypiserver_config.roots == [packages]
    assert app._pypiserver_config.disable_fallback


@pytest.mark.parametrize(
    "option",
    [
        {"entitlements_public": "perhaps"},
        {"entitlements_x": "1"},
        {"entitlements_upload_limit": "x"},
    ],
)
def test_what_paste_cannot_say_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="paste configuration cannot be read"):
        paste_app({}, entitlements_repo=REPOSITORY, **option)


def test_an_application_made_by_hand_is_protected_once(home: Path, packages: Path) -> None:
    config = Config.default_with_overrides(roots=[packages])
    app = pypiserver.setup_routes_from_config(pypiserver.app_from_config(config), config)
    options = Options.load(repo=REPOSITORY)

    assert protect(app, config, options) is app
    first = app.wsgi
    assert protect(app, config, options).wsgi is first

    shop = Shop(app, packages)
    try:
        shop.await_file(TOOL)
        assert shop.anonymous("/simple/").status_code == 401
        assert shop.get("/simple/", ("token", shop.issue())).status_code == 200
    finally:
        shop.site.close()


def test_by_hand_the_environment_says_the_rest(
    home: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_REPOSITORY", REPOSITORY)
    config = Config.default_with_overrides(roots=[packages])

    app = protect(pypiserver.app_from_config(config), config)

    site_of(app).close()
    assert isinstance(app.wsgi, PypiserverMiddleware)


def test_once_held_pypiserver_itself_is_protected_or_ends(
    home: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_pypiserver(pypiserver)

    with pytest.raises(SystemExit, match="whose tokens open this index"):
        pypiserver.app(roots=[packages])
    monkeypatch.setenv("ENTITLEMENTS_REPOSITORY", REPOSITORY)
    app = pypiserver.app(roots=[packages])

    site_of(app).close()
    assert isinstance(app.wsgi, PypiserverMiddleware)


def test_a_pypiserver_without_the_seam_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pypiserver, PATCHED)

    with pytest.raises(ConfigurationError, match="has no function setup_routes_from_config"):
        patch_pypiserver(pypiserver)
    monkeypatch.undo()


def test_a_store_that_cannot_be_opened_stops_the_start(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "entitlements.db").write_bytes(b"no database")

    with pytest.raises(EntitlementsError):
        pypiserver_entitlements.app(roots=[packages], entitlements_repo=REPOSITORY)


def test_the_package_names_what_it_has() -> None:
    assert set(pypiserver_entitlements.__all__) == {"Options", "app", "paste_app", "protect"}
    for name in pypiserver_entitlements.__all__:
        assert callable(getattr(pypiserver_entitlements, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pypiserver_entitlements.nothing  # noqa: B018 - the access is the test
