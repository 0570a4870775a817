"""From settings to an application."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entitlements_core.engine import watch
from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.downloads import DirectSender, Offload
from entitlements_core.engine.serving import create_app, open_index, require_repository
from entitlements_core.errors import ConfigurationError, KeyFileError, NotFound
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from entitlements_core.store.failures import DatabaseMissing
from tests.actors import person
from tests.wheelhouse import build_wheel

REPOSITORY = "acme/prod"


def settings(tmp_path: Path, **given: Any) -> Settings:  # noqa: ANN401 - any setting
    folder = tmp_path / "packages"
    build_wheel(folder, "lab-foo", "1.0")
    defaults: dict[str, Any] = {
        "home": tmp_path / "home",
        "repository": REPOSITORY,
        "directories": (str(folder),),
    }
    return Settings.load(**defaults | given)


def get(app: IndexApp, path: str) -> str:
    """The status line of a GET, once the catalog is built."""
    deadline = time.monotonic() + 30
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "REMOTE_ADDR": "127.0.0.1"}
    while time.monotonic() < deadline:
        answer = app.respond(dict(environ))
        if answer.status != 503:
            return answer.status_line
        time.sleep(0.02)
    raise AssertionError("the catalog was not built")


def test_the_application_serves_what_the_settings_name(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    core = Core.open(chosen, create=True)
    core.repositories.add(REPOSITORY, actor=person("test"))
    issued = core.lifecycle.create("x", [TokenGrant(repository=REPOSITORY)], actor=person("test"))
    core.close()

    app = create_app(chosen)

    assert get(app, f"/+t/{issued.secret}/simple/lab-foo/") == "200 OK"
    assert get(app, "/simple/") == "401 Entitlement token required"
    assert get(app, "/+health") == "200 OK"


def test_the_settings_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no repository or no directory"):
        create_app()


def test_a_repository_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    Core.open(chosen, create=True).close()
    with pytest.raises(NotFound, match="entitlements repo add acme/prod"):
        create_app(chosen)


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    with pytest.raises(DatabaseMissing, match=r"There is no home .*Check its name"):
        create_app(chosen)
    assert not chosen.home.exists()


def test_a_store_that_lost_its_key_is_not_given_a_new_one(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    Core.open(chosen, create=True).close()
    chosen.key_file.unlink()

    with pytest.raises(KeyFileError, match="is missing"):
        create_app(chosen)
    assert not chosen.key_file.exists()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"directories": ("/does/not/exist",)}, "/does/not/exist does not exist"),
        ({"directories": (__file__,)}, "is not a directory"),
        ({"accel_redirect": ("/a", "/b")}, "2 locations for 1 directory"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, given: dict[str, object], problem: str
) -> None:
    chosen = settings(tmp_path, **given)
    core = Core.open(chosen, create=True)

    with pytest.raises(ConfigurationError, match=problem):
        open_index(core, REPOSITORY, chosen.directories)


@pytest.mark.parametrize(
    ("given", "kind"),
    [({}, DirectSender), ({"accel_redirect": ("/a",)}, Offload), ({"sendfile": True}, Offload)],
)
def test_who_sends_the_files(tmp_path: Path, given: dict[str, object], kind: type) -> None:
    chosen = settings(tmp_path, **given)
    index = open_index(Core.open(chosen, create=True), REPOSITORY, chosen.directories)

    assert isinstance(index._parts.sender, kind)
    index.catalog.close()


def test_a_catalog_that_cannot_be_built_serves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rescan = Catalog.rescan
    monkeypatch.setattr(Catalog, "rescan", lambda _: 1 / 0)
    monkeypatch.setattr(watch, "_RETRY_SECONDS", 0.05)
    chosen = settings(tmp_path)
    index = open_index(Core.open(chosen, create=True), REPOSITORY, chosen.directories)

    def wait_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)

    wait_until(lambda: caplog.text.count("could not take in a change") > 2)
    assert "could not take in a change" in caplog.text
    assert not index.is_ready
    monkeypatch.setattr(Catalog, "rescan", rescan)  # it is tried again
    wait_until(lambda: index.is_ready)
    assert index.is_ready
    index.catalog.close()


def test_a_repository_that_another_process_makes_first_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    core = Core.open(settings(tmp_path), create=True)
    core.repositories.add(REPOSITORY, actor=person())
    monkeypatch.setattr(core.reader, "has_repository", lambda _: False)

    with caplog.at_level("INFO", "entitlements.engine"):
        require_repository(core, REPOSITORY, "Add it.", creator=person())
    assert f"another process added {REPOSITORY} first" in caplog.text
    with pytest.raises(ConfigurationError, match="has no repository") as raised:
        require_repository(core, REPOSITORY, "Add it.", creator=None)
    assert raised.value.remedy == "Add it."
    core.close()
